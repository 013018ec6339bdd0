/**
 * `npm run bench -- spike`: the shape of the whole data path, before any format is frozen.
 *
 * Per-message promises over one gRPC hop to a leader, from there to two followers, into
 * preallocated segments on all three, back to the promise; beside a bare program that pushes the
 * same bytes.
 */

import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LoadConfig, LoadResult } from "./load.ts";
import type { ServerConfig } from "./server.ts";

interface Case {
  readonly name: string;
  readonly server: Pick<ServerConfig, "work" | "peers" | "sync">;
  readonly load: Pick<LoadConfig, "messageBytes" | "inFlight" | "containerBytes" | "queues">;
}

interface Row extends LoadResult {
  readonly serverCpuMicrosPerMessage: number;
}

const BASE_PORT = 42_500;

export async function runSpikeBench(options: { readonly timeMs: number }): Promise<void> {
  const cases = spikeCases();
  const rounds: Row[][] = cases.map(() => []);
  for (let round = 0; round < 3; round++)
    for (const [at, each] of cases.entries()) {
      process.stderr.write(`round ${round + 1}/3, case ${at + 1}/${cases.length}: ${each.name}\n`);
      rounds[at]?.push(await runCase(each, options.timeMs));
    }
  const heads = "   msg/s     p50     p99  client  servers  (ms; CPU us per message)";
  console.log(`${"".padEnd(52)}${heads}`);
  for (const [at, each] of cases.entries()) {
    const rows = (rounds[at] ?? []).toSorted((a, b) => a.messagesPerSecond - b.messagesPerSecond);
    const row = rows[Math.floor(rows.length / 2)];
    if (row === undefined) continue;
    const rate = Math.round(row.messagesPerSecond).toLocaleString("en-US").padStart(8);
    const times = [row.p50Ms, row.p99Ms].map((time) => time.toFixed(1).padStart(8)).join("");
    const client = row.cpuMicrosPerMessage.toFixed(1).padStart(8);
    const servers = row.serverCpuMicrosPerMessage.toFixed(1).padStart(9);
    console.log(`${each.name.padEnd(52)}${rate}${times}${client}${servers}`);
  }
}

/** The ceiling: opaque containers over the same hops, synced on all three, and no consensus. */
export async function bareMessagesPerSecond(
  load: Omit<Case["load"], "queues">,
  timeMs: number,
): Promise<number> {
  const { messageBytes, inFlight } = load;
  const containerBytes = Math.min(load.containerBytes, messageBytes * inFlight);
  const { messagesPerSecond } = await runCase(
    {
      name: "bare",
      server: { work: "bare", peers: "tcp", sync: "pool" },
      load: { messageBytes, inFlight, containerBytes, queues: 1 },
    },
    timeMs,
  );
  return messagesPerSecond;
}

function spikeCases(): Case[] {
  const cases: Case[] = [];
  const add = (
    server: Case["server"],
    load: Pick<LoadConfig, "inFlight" | "containerBytes">,
  ): void => {
    const size = `${load.containerBytes / 1024} KB`.padStart(6);
    const kind = `${server.work} ${server.peers} ${server.sync.padEnd(6)}`;
    const name = `${kind} ${size} x ${load.inFlight}`;
    cases.push({ name, server, load: { messageBytes: 1_024, queues: 4, ...load } });
  };
  for (const sync of ["pool", "dsync", "thread"] as const)
    for (const work of ["bare", "full"] as const)
      for (const kb of [64, 256, 1_024])
        add({ work, peers: "tcp", sync }, { inFlight: 4_096, containerBytes: kb * 1_024 });
  for (const work of ["bare", "full"] as const) {
    add({ work, peers: "grpc", sync: "pool" }, { inFlight: 4_096, containerBytes: 65_536 });
    add({ work, peers: "grpc", sync: "pool" }, { inFlight: 4_096, containerBytes: 262_144 });
    for (const sync of ["pool", "dsync", "thread"] as const) {
      add({ work, peers: "tcp", sync }, { inFlight: 1, containerBytes: 65_536 });
      add({ work, peers: "tcp", sync }, { inFlight: 256, containerBytes: 65_536 });
    }
  }
  return cases;
}

async function runCase(each: Case, timeMs: number): Promise<Row> {
  const dir = mkdtempSync(join(tmpdir(), "quorumlog-spike-"));
  const children: ChildProcess[] = [];
  const start = async (file: string, config: ServerConfig): Promise<ChildProcess> => {
    const child = fork(new URL(file, import.meta.url), [JSON.stringify(config)]);
    children.push(child);
    await message(child);
    return child;
  };
  try {
    const followerPorts = [BASE_PORT + 1, BASE_PORT + 2];
    const server = { ...each.server, followerPorts };
    const follower = { ...server, role: "follower" as const };
    for (const port of followerPorts)
      await start("./server.js", { ...follower, port, dir: join(dir, `${port}`) });
    const leader = { ...server, role: "leader" as const, port: BASE_PORT };
    await start("./server.js", { ...leader, dir: join(dir, "leader") });
    const servers = [...children];
    const load: LoadConfig = {
      ...each.load,
      work: each.server.work,
      port: BASE_PORT,
      warmupMs: timeMs / 3,
      ms: timeMs,
    };
    const client = fork(new URL("./load.js", import.meta.url), [JSON.stringify(load)]);
    children.push(client);
    await message(client);
    const before = await cpuMicros(servers);
    const result = (await message(client)) as LoadResult;
    const cpu = (await cpuMicros(servers)) - before;
    const count = (result.messagesPerSecond * timeMs) / 1_000;
    return { ...result, serverCpuMicrosPerMessage: cpu / count };
  } finally {
    for (const child of children) child.kill("SIGKILL");
    rmSync(dir, { recursive: true, force: true });
  }
}

async function cpuMicros(servers: readonly ChildProcess[]): Promise<number> {
  let sum = 0;
  for (const server of servers) {
    const answer = message(server);
    server.send("cpu");
    sum += ((await answer) as { cpuMicros: number }).cpuMicros;
  }
  return sum;
}

function message(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once("message", resolve);
    child.once("exit", (code, signal) => {
      reject(new Error(`a process of the spike ended: ${code ?? signal}`));
    });
  });
}
