/** What a NameServer is given: checked once, every problem in one error. */

import { type FieldProblem, OperationError, type RpcTls } from "@quorumlog/protocol";
import { clusterIdProblem } from "./message-check.ts";

export interface NameServerLimits {
  /** Without a word for so long, a node leaves the routes. In `[100, 3600000]`, default 120000. */
  readonly expiryMs: number;
  /** Between looks for such nodes. In `[10, 600000]`, default 10000. */
  readonly scanMs: number;
  /** Of a message that is received. In `[1 KiB, 256 MiB]`, default 4 MiB. */
  readonly messageBytesMax: number;
  /** In `[1, 10000]`, default 16. */
  readonly clusterCountMax: number;
  /** Of streams of nodes, of all clusters. In `[1, 100000]`, default 1000. */
  readonly registrationCountMax: number;
  /** Of streams of clients, of all clusters. In `[1, 1000000]`, default 10000. */
  readonly watcherCountMax: number;
  /** Of a cluster. In `[1, 1000000]`, default 10000. */
  readonly topicCountMax: number;
  /** Values of a cluster's configuration. In `[1, 1000000]`, default 10000. */
  readonly configurationCountMax: number;
}

export interface NameServerOptions extends Partial<NameServerLimits> {
  /** As `host:port`; port 0 takes a free one. */
  readonly listen: string;
  readonly tls?: RpcTls;
  /**
   * Where figures are told over HTTP, as `host:port`: `/metrics` for Prometheus, `/health` and
   * `/ready`; port 0 takes a free one. Default nowhere.
   */
  readonly metrics?: string;
  /** Of that port, which speaks HTTPS then; default: without TLS. */
  readonly metricsTls?: RpcTls;
  /** The only cluster that is served; default: each that registers. In `[1, 256]` bytes. */
  readonly clusterId?: string;
}

export interface LimitBounds {
  readonly min: number;
  readonly max: number;
  readonly fallback: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** Of each limit, and what it is if nothing is said. */
export const LIMIT_BOUNDS: { readonly [K in keyof NameServerLimits]: LimitBounds } = {
  expiryMs: { min: 100, max: 3_600_000, fallback: 120_000 },
  scanMs: { min: 10, max: 600_000, fallback: 10_000 },
  messageBytesMax: { min: KIB, max: 256 * MIB, fallback: 4 * MIB },
  clusterCountMax: { min: 1, max: 10_000, fallback: 16 },
  registrationCountMax: { min: 1, max: 100_000, fallback: 1_000 },
  watcherCountMax: { min: 1, max: 1_000_000, fallback: 10_000 },
  topicCountMax: { min: 1, max: 1_000_000, fallback: 10_000 },
  configurationCountMax: { min: 1, max: 1_000_000, fallback: 10_000 },
};

/** @throws OperationError `INVALID_ARGUMENT`, with all that does not fit */
export function limitsOf(options: NameServerOptions): NameServerLimits {
  const problems: FieldProblem[] = [];
  const read = (field: keyof NameServerLimits): number => {
    const { min, max, fallback } = LIMIT_BOUNDS[field];
    const value: unknown = options[field] ?? fallback;
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max)
      return value;
    const problem = `${JSON.stringify(value)} is not an integer in [${min}, ${max}]`;
    problems.push({ field, problem });
    return fallback;
  };
  const limits: NameServerLimits = {
    expiryMs: read("expiryMs"),
    scanMs: read("scanMs"),
    messageBytesMax: read("messageBytesMax"),
    clusterCountMax: read("clusterCountMax"),
    registrationCountMax: read("registrationCountMax"),
    watcherCountMax: read("watcherCountMax"),
    topicCountMax: read("topicCountMax"),
    configurationCountMax: read("configurationCountMax"),
  };
  const { clusterId } = options;
  const problem = clusterId === undefined ? undefined : clusterIdProblem(clusterId);
  if (problem !== undefined) problems.push({ field: "clusterId", problem });
  if (problems.length === 0) return limits;
  const text = problems.map(({ field, problem: what }) => `${field}: ${what}`).join("; ");
  throw new OperationError("INVALID_ARGUMENT", text, { problems });
}
