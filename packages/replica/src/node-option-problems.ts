/**
 * What does not fit in the options of a node, all of it at once: whoever sets a node up should not
 * mend them one error per start. Programs without types come here, too, so nothing is taken for
 * granted, and a name that is not known is a typo.
 */

import { integerProblem, valueInWords } from "@quorumlog/std";
import { parseTransportOptions, TransportOptionsError } from "@quorumlog/transport";
import { parseFlush } from "./flush-mode.ts";
import type { Machine } from "./machine.ts";
import type { NodeOptions } from "./node-options.ts";
import { isAddress } from "./peer-directory.ts";
import {
  parseMachineRetention,
  parseRetention,
  parseTuning,
  ReplicaOptionsError,
} from "./replica-options.ts";

type Given = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => string | undefined;

const GROUP_ID_MAX = 2 ** 32 - 1;
/** Any that is sound: a node's own address is looked at with those of its peers. */
const SOME_ADDRESS = "127.0.0.1:0";

const isObject = (value: unknown): value is Given => typeof value === "object" && value !== null;
const isNodeId = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 1;

const object: Check = (value) => (isObject(value) ? undefined : "not an object");
const flag: Check = (value) => (typeof value === "boolean" ? undefined : "not true or false");

/** One row per option, with what is wrong with a value that was given. */
const CHECKS: { readonly [K in keyof Required<NodeOptions> | "retention"]: Check } = {
  directory: (value) =>
    typeof value === "string" && value !== "" ? undefined : "not the path of a directory",
  clusterId: () => undefined, // Below, with what else goes to the transport.
  nodeId: (value) =>
    isNodeId(value) ? undefined : `${valueInWords(value)} is not an integer above 0`,
  groupId: (value) => integerProblem(value, { min: 0, max: GROUP_ID_MAX }),
  ifMissing: (value) =>
    value === "found" || value === "join" || value === "fail"
      ? undefined
      : `${valueInWords(value)} is none of "found", "join" and "fail"`,
  peers: object,
  listen: () => undefined,
  token: () => undefined,
  tls: object,
  transport: object,
  preferredLeaders: preferredProblem,
  leaseReads: flag,
  flush: () => undefined,
  acceptLoss: flag,
  recoverFromPeers: flag,
  tuning: object,
  retention: object,
  onEvent: (value) => (typeof value === "function" ? undefined : "not a function"),
  checkpoint: (value) => withMethods(value, ["open", "load", "cut", "close"]),
  signal: (value) => withMethods(value, ["addEventListener", "removeEventListener"]),
  fileSystem: object,
  environment: object,
};
const MACHINE_CHECKS: typeof CHECKS = {
  ...CHECKS,
  retention: (value) =>
    value === "compact" || value === "keep" || isObject(value)
      ? undefined
      : `${valueInWords(value)} is neither "compact" nor "keep" nor limits`,
};
const REQUIRED = ["directory", "nodeId", "peers"] as const;

/** @throws ReplicaOptionsError with whatever does not fit. */
export function demandNodeOptions(options: NodeOptions, kind: "log" | "machine"): void {
  const given: unknown = options;
  if (!isObject(given)) throw new ReplicaOptionsError(["options: not an object"]);
  const problems: string[] = [];
  const checks = kind === "log" ? CHECKS : MACHINE_CHECKS;
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(checks, key)) problems.push(`${key}: unknown option`);
    else if (value !== undefined) {
      const problem = checks[key as keyof typeof CHECKS](value);
      if (problem !== undefined) problems.push(`${key}: ${problem}`);
    }
  }
  for (const key of REQUIRED) if (given[key] === undefined) problems.push(`${key}: missing`);
  if (isObject(given["peers"])) problems.push(...peerProblems(given["peers"], given["nodeId"]));
  problems.push(
    ...problemsOf(() => parseTuning(isObject(given["tuning"]) ? given["tuning"] : {})),
    ...problemsOf(() => parseFlush(options.flush)),
    ...transportProblems(given),
  );
  // What may be forgotten is measured by the tuning, which has to be sound for that.
  if (problems.length === 0) problems.push(...problemsOf(() => retentionOf(given, kind)));
  if (problems.length > 0) throw new ReplicaOptionsError(problems);
}

/** @throws ReplicaOptionsError for what lacks a method that a state machine has. */
export function demandMachine(machine: unknown): void {
  const problem = withMethods(machine, ["apply", "snapshot", "restore"]);
  if (problem !== undefined) throw new ReplicaOptionsError([`machine: ${problem}`]);
  const { covers, rulesVersion = 0 } = machine as Partial<Machine>;
  if (covers !== undefined && typeof covers !== "function")
    throw new ReplicaOptionsError(["machine: covers is not a function"]);
  if (!Number.isSafeInteger(rulesVersion) || rulesVersion < 0)
    throw new ReplicaOptionsError(["machine: rulesVersion is not an integer of 0 or more"]);
}

/** @throws ReplicaOptionsError */
function retentionOf(given: Given, kind: "log" | "machine"): unknown {
  const retention = given["retention"] as Given | undefined;
  const tuning = parseTuning(given["tuning"] as Given | undefined);
  if (kind === "machine") return parseMachineRetention(retention, tuning);
  return parseRetention(retention, tuning);
}

function peerProblems(peers: Given, nodeId: unknown): string[] {
  const problems: string[] = [];
  const owners = new Map<unknown, string>();
  for (const [id, address] of Object.entries(peers)) {
    if (!isNodeId(Number(id))) problems.push(`peers: ${id} is not an integer above 0`);
    if (typeof address !== "string" || !isAddress(address))
      problems.push(`peers: ${valueInWords(address)}, of node ${id}, is not host:port`);
    const owner = owners.get(address);
    if (owner !== undefined)
      problems.push(`peers: nodes ${owner} and ${id} have one address, ${valueInWords(address)}`);
    owners.set(address, id);
  }
  if (isNodeId(nodeId) && peers[String(nodeId)] === undefined)
    problems.push(`peers: this node, ${String(nodeId)}, is missing`);
  return problems;
}

function preferredProblem(value: unknown): string | undefined {
  if (!Array.isArray(value)) return "not a list of node ids";
  const stranger: unknown = value.find((id) => !isNodeId(id));
  if (stranger !== undefined) return `${valueInWords(stranger)} is no node's id`;
  return new Set(value).size < value.length ? "names a node twice" : undefined;
}

/** A transport that is shared has its own listening address and secret, and was asked for them. */
function transportProblems({ clusterId, listen, token, tls, transport }: Given): readonly string[] {
  const place = { clusterId, nodeId: 1, incarnation: 0 };
  const secret = transport === undefined ? { token, tls } : { token: Buffer.alloc(16) };
  return problemsOf(() =>
    parseTransportOptions({ ...place, listen: listen ?? SOME_ADDRESS, ...secret }),
  );
}

function problemsOf(parse: () => unknown): readonly string[] {
  try {
    parse();
    return [];
  } catch (error) {
    if (error instanceof ReplicaOptionsError || error instanceof TransportOptionsError)
      return error.problems;
    throw error;
  }
}

function withMethods(value: unknown, names: readonly string[]): string | undefined {
  if (!isObject(value)) return "not an object";
  const lacking = names.filter((name) => typeof value[name] !== "function");
  return lacking.length === 0 ? undefined : `has no ${lacking.join(", ")}`;
}
