/** Who a node is, and the limits of its transport: parsed once, every problem in one error. */

import { createSecureContext } from "node:tls";
import { integerProblem } from "@quorumlog/std";
import { type Address, AddressError, parseListenAddress } from "./address.ts";
import type { NodeId } from "./transport.ts";

export interface TransportLimits {
  /** Of a frame's payload. In `[1 KiB, 256 MiB]`, default 16 MiB. */
  readonly frameBytesMax: number;
  /** What may wait on the control lane of a peer. In `[64 KiB, 1 GiB]`, default 4 MiB. */
  readonly controlBytesMax: number;
  /** What may wait on the bulk lane of a peer. In `[64 KiB, 1 GiB]`, default 32 MiB. */
  readonly bulkBytesMax: number;
  /** Between signs of life. In `[10, 60000]`, default 500. */
  readonly pingMs: number;
  /** Without a sign of life a peer is down. In `[20, 600000]`, default 2000. */
  readonly silenceMs: number;
  /** Until a connection is made. In `[10, 60000]`, default 1000. */
  readonly connectMs: number;
  /** From a connection to proofs on both sides, TLS included. In `[10, 60000]`, default 2000. */
  readonly handshakeMs: number;
  /**
   * Connections that have not proved anything yet, at once; beyond, one of the address that has the
   * most gives way to another address. In `[1, 65536]`, default 64.
   */
  readonly handshakeCountMax: number;
  /** The shortest time before a peer is dialed again. In `[1, 60000]`, default 20. */
  readonly redialMsMin: number;
  /** The longest one. In `[1, 600000]`, default 1000. */
  readonly redialMsMax: number;
}

/** Certificates for both directions; all in PEM. */
export interface TransportTls {
  readonly key: string | Buffer;
  readonly cert: string | Buffer;
  /** Whoever has a certificate of it may be any node: it signs for this cluster alone. */
  readonly ca: string | Buffer;
  /** The name that the certificate of every node has; by default the host that was dialed. */
  readonly serverName?: string;
}

export interface TransportOptions extends TransportLimits {
  /** Keeps clusters apart. In `[1, 256]` bytes of UTF-8. */
  readonly clusterId: string;
  readonly nodeId: NodeId;
  readonly incarnation: number;
  /** Where to listen, as text `host:port`; port 0 is any that is free. */
  readonly listen: Address;
  /** A secret of the cluster, of 16 bytes or more. Not needed with `tls`. */
  readonly token: Uint8Array | undefined;
  readonly tls: TransportTls | undefined;
}

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly fallback: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

const BOUNDS: { readonly [K in keyof TransportLimits]: Bounds } = {
  frameBytesMax: { min: KIB, max: 256 * MIB, fallback: 16 * MIB },
  controlBytesMax: { min: 64 * KIB, max: 1024 * MIB, fallback: 4 * MIB },
  bulkBytesMax: { min: 64 * KIB, max: 1024 * MIB, fallback: 32 * MIB },
  pingMs: { min: 10, max: 60_000, fallback: 500 },
  silenceMs: { min: 20, max: 600_000, fallback: 2_000 },
  connectMs: { min: 10, max: 60_000, fallback: 1_000 },
  handshakeMs: { min: 10, max: 60_000, fallback: 2_000 },
  handshakeCountMax: { min: 1, max: 65_536, fallback: 64 },
  redialMsMin: { min: 1, max: 60_000, fallback: 20 },
  redialMsMax: { min: 1, max: 600_000, fallback: 1_000 },
};

const OTHERS = ["clusterId", "nodeId", "incarnation", "listen", "token", "tls"];
const TLS_KEYS = ["key", "cert", "ca", "serverName"];
const TOKEN_BYTES_MIN = 16;
const CLUSTER_ID_BYTES_MAX = 256;
const NOWHERE: Address = { host: "", port: 0 };

/** Options that do not fit: `problems` has them all. */
export class TransportOptionsError extends Error {
  override readonly name = "TransportOptionsError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("; "));
    this.problems = problems;
  }
}

type Input = Readonly<Record<string, unknown>>;

/**
 * @param input - As `TransportOptions`, with `listen` as text, and `token` as text or bytes.
 * @throws TransportOptionsError
 */
export function parseTransportOptions(input: Input): TransportOptions {
  const problems = Object.keys(input)
    .filter((key) => !(key in BOUNDS) && !OTHERS.includes(key))
    .map((key) => `${key}: unknown option`);
  const options: TransportOptions = {
    ...limitsOf(input, problems),
    clusterId: clusterIdOf(input, problems),
    nodeId: integerOf(input, "nodeId", problems),
    incarnation: integerOf(input, "incarnation", problems),
    listen: listenOf(input, problems),
    token: tokenOf(input, problems),
    tls: tlsOf(input, problems),
  };
  if (input["tls"] === undefined && input["token"] === undefined)
    problems.push("token: required without tls, so that no stranger passes for a node");
  // One sign of life may come late without the peer being taken for dead.
  if (options.silenceMs < 2 * options.pingMs)
    problems.push("silenceMs: must be at least 2 * pingMs");
  if (options.redialMsMax < options.redialMsMin)
    problems.push("redialMsMax: must be at least redialMsMin");
  if (problems.length > 0) throw new TransportOptionsError(problems);
  return Object.freeze(options);
}

function limitsOf(input: Input, problems: string[]): TransportLimits {
  const read = (key: keyof TransportLimits): number => {
    const { fallback } = BOUNDS[key];
    const value = input[key] ?? fallback;
    const problem = integerProblem(value, BOUNDS[key]);
    if (problem === undefined) return Number(value);
    problems.push(`${key}: ${problem}`);
    return fallback;
  };
  return {
    frameBytesMax: read("frameBytesMax"),
    controlBytesMax: read("controlBytesMax"),
    bulkBytesMax: read("bulkBytesMax"),
    pingMs: read("pingMs"),
    silenceMs: read("silenceMs"),
    connectMs: read("connectMs"),
    handshakeMs: read("handshakeMs"),
    handshakeCountMax: read("handshakeCountMax"),
    redialMsMin: read("redialMsMin"),
    redialMsMax: read("redialMsMax"),
  };
}

function clusterIdOf(input: Input, problems: string[]): string {
  const value = input["clusterId"];
  const bytes = typeof value === "string" ? Buffer.byteLength(value) : 0;
  if (typeof value === "string" && bytes > 0 && bytes <= CLUSTER_ID_BYTES_MAX) return value;
  problems.push(`clusterId: not a text of 1 to ${CLUSTER_ID_BYTES_MAX} bytes`);
  return "";
}

function integerOf(input: Input, key: "nodeId" | "incarnation", problems: string[]): number {
  const value = input[key];
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  problems.push(`${key}: not an integer in [0, 2^53)`);
  return 0;
}

function listenOf(input: Input, problems: string[]): Address {
  const value = input["listen"];
  try {
    if (typeof value === "string") return parseListenAddress(value);
    problems.push("listen: not a text host:port");
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    problems.push(`listen: ${error.message}`);
  }
  return NOWHERE;
}

/** The message never has the token in it. */
function tokenOf(input: Input, problems: string[]): Uint8Array | undefined {
  const value = input["token"];
  if (value === undefined) return undefined;
  const bytes = typeof value === "string" ? Buffer.from(value, "utf8") : value;
  if (bytes instanceof Uint8Array && bytes.byteLength >= TOKEN_BYTES_MIN) return bytes;
  problems.push(`token: not a text, or bytes, of ${TOKEN_BYTES_MIN} bytes or more`);
  return undefined;
}

function tlsOf(input: Input, problems: string[]): TransportTls | undefined {
  const value = input["tls"];
  if (value === undefined) return undefined;
  if (typeof value !== "object" || value === null) {
    problems.push("tls: not an object {key, cert, ca}");
    return undefined;
  }
  const found: string[] = [];
  for (const key of Object.keys(value))
    if (!TLS_KEYS.includes(key)) found.push(`tls.${key}: unknown option`);
  const { key, cert, ca, serverName } = value as Partial<Record<keyof TransportTls, unknown>>;
  for (const [name, pem] of Object.entries({ key, cert, ca }))
    if (typeof pem !== "string" && !Buffer.isBuffer(pem)) found.push(`tls.${name}: not PEM`);
  if (serverName !== undefined && typeof serverName !== "string")
    found.push("tls.serverName: not a text");
  problems.push(...found);
  if (found.length > 0) return undefined;
  const tls = value as TransportTls;
  try {
    createSecureContext({ key: tls.key, cert: tls.cert, ca: tls.ca });
  } catch (error) {
    problems.push(`tls: ${(error as Error).message}`);
  }
  return tls;
}
