/**
 * `npm run bench -- spike`: the shape of the whole data path, before any format is frozen.
 *
 * Per-message promises over one gRPC hop to a leader, from there to two followers, into
 * preallocated segments on all three, back to the promise; beside a bare program that pushes the
 * same bytes.
 */

import { tmpdir } from "node:os";
import { drawSpike, type SpikeCase } from "../drawings/spike-drawing.ts";
import { writeOutcome } from "../outcome/outcome.ts";
import { type SpikeFigures, SpikeGroup, type SpikeLoad } from "./spike-group.ts";

const ROUNDS = 3;

export async function runSpikeBench(options: { readonly timeMs: number }): Promise<void> {
  const cases = spikeCases();
  const rounds: SpikeFigures[][] = cases.map(() => []);
  for (let round = 0; round < ROUNDS; round++)
    for (const [at, each] of cases.entries()) {
      process.stderr.write(
        `round ${round + 1}/${ROUNDS}, case ${at + 1}/${cases.length}: ${each.name}\n`,
      );
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
  const results = {
    timeMs: options.timeMs,
    rounds: ROUNDS,
    cases: cases.map((each, at) => ({ ...each, rows: rounds[at] ?? [] })),
  };
  await writeOutcome({ bench: "spike", results, draw: drawSpike });
}

function spikeCases(): SpikeCase[] {
  const cases: SpikeCase[] = [];
  const add = (
    server: SpikeCase["server"],
    load: Pick<SpikeLoad, "inFlight" | "containerBytes">,
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

async function runCase(each: SpikeCase, timeMs: number): Promise<SpikeFigures> {
  const group = await SpikeGroup.start(each.server, tmpdir());
  try {
    return await group.load(each.load, timeMs);
  } finally {
    group.stop();
  }
}
