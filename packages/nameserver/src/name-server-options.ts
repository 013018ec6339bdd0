/** What a NameServer is given: checked once, every problem in one error. */

import { type FieldProblem, OperationError, type RpcTls } from "@quorumlog/protocol";
import { integerProblem, valueInWords } from "@quorumlog/std";
import { parseListenAddress, type Scheduler } from "@quorumlog/transport";
import { addressProblem, clusterIdProblem } from "./message-check.ts";
import type { NameServerListener } from "./name-server-event.ts";

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

/** What is around it. */
export interface NameServerSurroundings {
  readonly onEvent?: NameServerListener;
  /** A bug was met: the process should end. Default: thrown where nobody catches it. */
  readonly onDefect?: (error: unknown) => void;
  /** Default: the process's own time. */
  readonly scheduler?: Scheduler;
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

/** @returns what is wrong with a value, without its name. */
type Check = (value: unknown) => string | undefined;

const isText = (value: unknown): value is string => typeof value === "string";

const isPem = (value: unknown): boolean => isText(value) || Buffer.isBuffer(value);

const address: Check = (value) =>
  isText(value)
    ? addressProblem(value, parseListenAddress)
    : `${valueInWords(value)} is not host:port`;
const callback: Check = (value) => (typeof value === "function" ? undefined : "not a function");
const tls: Check = (value) => {
  if (!isObject(value)) return `${valueInWords(value)} is not an object`;
  const { certificate, key, clientAuthority, ...strange } = value;
  const [stranger] = Object.keys(strange);
  if (stranger !== undefined) return `${stranger} is an unknown option`;
  if (!isPem(certificate) || !isPem(key)) return "certificate and key, as PEM, are required";
  return clientAuthority === undefined || isPem(clientAuthority)
    ? undefined
    : "clientAuthority is not PEM";
};

const CHECKS: {
  readonly [K in keyof Required<Omit<NameServerOptions, keyof NameServerLimits>>]: Check;
} = {
  listen: address,
  tls,
  metrics: address,
  metricsTls: tls,
  clusterId: (value) =>
    isText(value) ? clusterIdProblem(value) : `${valueInWords(value)} is not text`,
};

const SURROUNDINGS_CHECKS: {
  readonly [K in keyof Required<NameServerSurroundings>]: Check;
} = {
  onEvent: callback,
  onDefect: callback,
  scheduler: (value) => (isObject(value) ? undefined : "not an object"),
};

/**
 * Programs without types come here, too: nothing is taken for granted.
 *
 * @throws OperationError `INVALID_ARGUMENT`, with all that does not fit
 */
export function limitsOf(
  options: NameServerOptions,
  surroundings: NameServerSurroundings = {},
): NameServerLimits {
  const problems = [
    ...problemsOf("options", options, { ...CHECKS, ...limitChecks() }),
    ...problemsOf("surroundings", surroundings, SURROUNDINGS_CHECKS),
  ];
  if (isObject(options) && (options.listen as unknown) === undefined)
    problems.push({ field: "listen", problem: "missing" });
  if (problems.length > 0) {
    const text = problems.map(({ field, problem }) => `${field}: ${problem}`).join("; ");
    throw new OperationError("INVALID_ARGUMENT", text, { problems });
  }
  const read = (field: keyof NameServerLimits): number =>
    options[field] ?? LIMIT_BOUNDS[field].fallback;
  return {
    expiryMs: read("expiryMs"),
    scanMs: read("scanMs"),
    messageBytesMax: read("messageBytesMax"),
    clusterCountMax: read("clusterCountMax"),
    registrationCountMax: read("registrationCountMax"),
    watcherCountMax: read("watcherCountMax"),
    topicCountMax: read("topicCountMax"),
    configurationCountMax: read("configurationCountMax"),
  };
}

function limitChecks(): Record<string, Check> {
  const checks = Object.entries(LIMIT_BOUNDS).map(([field, bounds]): [string, Check] => [
    field,
    (value) => integerProblem(value, bounds),
  ]);
  return Object.fromEntries(checks);
}

/** @param what - What it is as a whole, if it is no object. */
function problemsOf(
  what: string,
  given: unknown,
  checks: Readonly<Record<string, Check>>,
): FieldProblem[] {
  if (!isObject(given))
    return [{ field: what, problem: `${valueInWords(given)} is not an object` }];
  return Object.entries(given).flatMap(([field, value]) => {
    const check = Object.hasOwn(checks, field) ? checks[field] : undefined;
    if (check === undefined) return [{ field, problem: "unknown option" }];
    const problem = value === undefined ? undefined : check(value);
    return problem === undefined ? [] : [{ field, problem }];
  });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
