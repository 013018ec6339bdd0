/**
 * Where everything of a cluster on this machine is, the same after a restart: kept beside the data,
 * with a file of settings for each process, by which any of them can be started by hand, too.
 */

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { OperationError } from "@quorumlog/protocol";
import { UsageError } from "../settings.ts";

export interface PlanWish {
  readonly dataDir: string;
  /** Of what was planned before, `undefined` is whatever it is. */
  readonly groups: number | undefined;
  /** Of each group. */
  readonly nodes: number | undefined;
  readonly nameServers: number | undefined;
  /** Of the first NameServer; 0 is any. */
  readonly port: number | undefined;
  /** `undefined`: as before. */
  readonly tls: TlsFiles | undefined;
}

/** Of the ports for clients, as the settings of NameServers and brokers name them; absolute. */
export interface TlsFiles {
  readonly tlsCertificate: string;
  readonly tlsKey: string;
  readonly tlsClientAuthority?: string;
  readonly tlsAuthority?: string;
}

export interface NodePlan {
  readonly nodeId: number;
  readonly groupId: number;
  /** As `host:port`. */
  readonly client: string;
  readonly peer: string;
}

export interface ClusterPlan {
  readonly token: string;
  /** As `host:port`. */
  readonly nameServers: readonly string[];
  readonly nodes: readonly NodePlan[];
  /** Left out: without TLS. */
  readonly tls?: TlsFiles;
}

const FILE = "cluster.json";
const DEFAULTS = { groups: 1, nodes: 3, nameServers: 1 } as const;
const GROUP_NAMES = "abcdefghijklmnopqrstuvwxyz";
const NAME_SERVER_PORT = 9_876;
const TOKEN_BYTES = 24;

/**
 * What was planned the first time, or a new plan, at ports that are free now. Certificates are
 * those of this time, if there are any: they do not last as long as data.
 *
 * @throws UsageError if another shape is wanted than that of the data; OperationError
 *   `LISTEN_FAILED` if a port that was asked for is taken
 */
export async function planOf(wish: PlanWish): Promise<ClusterPlan> {
  const path = join(wish.dataDir, FILE);
  const isKnown = existsSync(path);
  const planned = isKnown ? readPlan(path) : await newPlan(wish);
  demandShape(planned, wish);
  mkdirSync(wish.dataDir, { recursive: true, mode: 0o700 });
  const { tls } = wish;
  const plan = tls === undefined ? planned : { ...planned, tls };
  if (!isKnown || tls !== undefined) writeSettings(path, plan);
  return plan;
}

export function groupNameOf(groupId: number): string {
  return `broker-${GROUP_NAMES[groupId - 1] ?? groupId}`;
}

/** @returns the file with the settings of a node, which has them at its next start. */
export function writeBroker(node: NodePlan, plan: ClusterPlan, dataDir: string): string {
  const { nodeId, groupId, client } = node;
  const groupName = groupNameOf(groupId);
  const peers = plan.nodes.filter((other) => other.groupId === groupId);
  const path = resolve(dataDir, `${groupName}-${nodeId}.json`);
  writeSettings(path, {
    nodeId,
    groupId,
    groupName,
    dataDir: resolve(dataDir, `${groupName}-${nodeId}`),
    listen: client,
    peers: peers.map((other) => `${other.nodeId}=${other.peer}`),
    token: plan.token,
    nameServers: plan.nameServers,
    ...plan.tls,
  });
  return path;
}

export function writeNameServer(listen: string, plan: ClusterPlan, dataDir: string): string {
  const path = resolve(dataDir, `nameserver-${listen.split(":").at(-1)}.json`);
  // It dials nobody.
  writeSettings(path, { listen, ...plan.tls, tlsAuthority: undefined });
  return path;
}

/** For its owner only: there is a secret in it. */
function writeSettings(path: string, settings: object): void {
  writeFileSync(path, `${JSON.stringify(settings, undefined, 2)}\n`, { mode: 0o600 });
}

function readPlan(path: string): ClusterPlan {
  try {
    const plan = JSON.parse(readFileSync(path, "utf8")) as Partial<ClusterPlan> | null;
    if (Array.isArray(plan?.nodes) && Array.isArray(plan.nameServers)) return plan as ClusterPlan;
    throw new SyntaxError("it is not a plan of a cluster");
  } catch (error) {
    throw new UsageError([`${path}: ${(error as Error).message}; it says where the data belongs`]);
  }
}

function demandShape({ nodes, nameServers }: ClusterPlan, wish: PlanWish): void {
  const groups = new Set(nodes.map(({ groupId }) => groupId)).size;
  const shape = { groups, nodes: nodes.length / groups, nameServers: nameServers.length };
  const problems = (["groups", "nodes", "nameServers"] as const)
    .filter((name) => wish[name] !== undefined && wish[name] !== shape[name])
    .map((name) => `${name}: ${String(wish[name])} are asked for, and there are ${shape[name]}`);
  if (problems.length === 0) return;
  const advice = "leave that out to go on with it, or name another --data";
  throw new UsageError([`${wish.dataDir} holds another cluster: ${advice}`, ...problems]);
}

async function newPlan({ groups, nodes, nameServers, port }: PlanWish): Promise<ClusterPlan> {
  const count = { groups: groups ?? DEFAULTS.groups, nodes: nodes ?? DEFAULTS.nodes };
  const token = randomBytes(TOKEN_BYTES).toString("hex");
  const names: string[] = [];
  const first = port ?? NAME_SERVER_PORT;
  while (names.length < (nameServers ?? DEFAULTS.nameServers)) {
    const wanted = first === 0 ? 0 : first + names.length;
    names.push(await (port === undefined ? nearAddress(wanted) : freeAddress(wanted)));
  }
  const planned: NodePlan[] = [];
  for (let groupId = 1; groupId <= count.groups; groupId++)
    for (let i = 0; i < count.nodes; i++) {
      const nodeId = planned.length + 1;
      planned.push({ nodeId, groupId, client: await freeAddress(0), peer: await freeAddress(0) });
    }
  return { token, nameServers: names, nodes: planned };
}

/** @returns with the wanted port if nobody has it, else any. */
function nearAddress(wanted: number): Promise<string> {
  return freeAddress(wanted).catch(() => freeAddress(0));
}

/** @throws OperationError `LISTEN_FAILED` if somebody has the port; 0 is any. */
function freeAddress(wanted: number): Promise<string> {
  return new Promise((done, reject) => {
    const server = createServer();
    server.once("error", (cause) => {
      const problems = [{ field: "port", problem: cause.message }];
      const message = `cannot listen on 127.0.0.1:${wanted}: ${cause.message}`;
      reject(new OperationError("LISTEN_FAILED", message, { cause, problems }));
    });
    server.listen(wanted, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => {
        done(`127.0.0.1:${port}`);
      });
    });
  });
}
