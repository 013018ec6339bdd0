/**
 * `npm run bench -- peers`: this project beside other systems that promise the same, each started
 * here as three nodes, under the same load from the same kind of client.
 */

import { mkdirSync } from "node:fs";
import { drawPeers } from "./drawings/peers-drawing.ts";
import { OUTCOME_FOLDER, writeOutcome } from "./outcome/outcome.ts";
import { chosenSystems, chosenWorkloads, turned, wordsOfMissing } from "./peers/choice.ts";
import { MeasuredCluster } from "./peers/measured-cluster.ts";
import type { GivenFolders, PeerSystem } from "./peers/peer-system.ts";
import { missingParts, SYSTEMS } from "./peers/peer-systems.ts";
import { type PeerCard, type PeerResult, tableOf } from "./peers/peer-table.ts";
import { WORKLOADS } from "./peers/peer-workloads.ts";
import { KB, type Workload } from "./peers/workload.ts";

export interface PeersBenchOptions {
  readonly timeMs: number;
  readonly rounds: number;
  /** Leaders that are killed in each round. */
  readonly kills: number;
  /** Workloads with this in their names. */
  readonly only: string | undefined;
  /** Names, with commas between them. */
  readonly systems: string | undefined;
  readonly folders: GivenFolders;
}

const WARMUP = { inFlight: 1_000, messagesMax: 100_000 };

/** What a run has found so far. */
class Findings {
  readonly cards = new Map<string, PeerCard>();
  readonly results: PeerResult[] = [];
  readonly failures: string[] = [];

  fail(what: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.failures.push(`${what}: ${message}`);
    process.stderr.write(`${what} FAILED: ${message}\n`);
  }

  get isSound(): boolean {
    const faults = this.results.flatMap(({ outcome }) => outcome.faults);
    return this.failures.length + faults.length === 0;
  }
}

/** @throws if anything could not be measured, or was not read back; the table is printed before. */
export async function runPeersBench(options: PeersBenchOptions): Promise<void> {
  const workloads = chosenWorkloads(WORKLOADS, options.only);
  const chosen = chosenSystems(SYSTEMS, options.systems);
  const left = chosen
    .map((system) => ({ system, missing: missingParts(system, options.folders) }))
    .filter(({ missing }) => missing.length > 0);
  const notes = left.map(({ system, missing }) => wordsOfMissing(system, missing));
  const systems = chosen.filter((system) => left.every((each) => each.system !== system));
  for (const note of notes) process.stderr.write(`${note}\n`);
  // An exit ends the servers and removes their folders; a second signal does not cut that short.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => process.exit(1));
  const folder = OUTCOME_FOLDER;
  mkdirSync(folder, { recursive: true });
  const findings = new Findings();
  for (let round = 0; round < options.rounds; round++)
    for (const system of turned(systems, round))
      await measure(system, { ...options, round, folder, workloads, findings });
  const cards = new Map(
    systems.flatMap(({ name }): [string, PeerCard][] => {
      const card = findings.cards.get(name);
      return card === undefined ? [] : [[name, card]];
    }),
  );
  for (const [name, { version, durability }] of cards)
    console.log(`${name} ${version}: ${durability}`);
  for (const line of [...notes, ...tableOf(workloads, cards, findings.results)]) console.log(line);
  for (const failure of findings.failures) console.log(`FAILED ${failure}`);
  const { timeMs, rounds, kills } = options;
  const told = workloads.map(({ name, unit, isMoreBetter, judgedBy }) => {
    return { name, unit, isMoreBetter, judgedBy };
  });
  const results = {
    timeMs,
    rounds,
    kills,
    systems: Object.fromEntries(cards),
    workloads: told,
    notes,
    results: findings.results,
    failures: findings.failures,
  };
  await writeOutcome({ bench: "peers", results, draw: drawPeers });
  if (!findings.isSound) throw new Error("not everything was measured, or read back as it was");
}

async function measure(
  system: PeerSystem,
  turn: PeersBenchOptions & {
    readonly round: number;
    readonly folder: string;
    readonly workloads: readonly Workload[];
    readonly findings: Findings;
  },
): Promise<void> {
  const { round, rounds, findings, timeMs, kills } = turn;
  const say = (what: string): string => {
    const words = `round ${round + 1}/${rounds}, ${system.name}, ${what}`;
    process.stderr.write(`${words}\n`);
    return words;
  };
  let what = say("start");
  let measured: MeasuredCluster | undefined;
  try {
    const { folderFlag } = system;
    const jars = folderFlag && turn.folders[folderFlag];
    measured = await MeasuredCluster.start(system, turn.folder, jars);
    const { version, durability } = measured.cluster;
    findings.cards.set(system.name, { version, durability });
    await warmUp(measured, timeMs);
    for (const [at, workload] of turn.workloads.entries()) {
      what = say(workload.name);
      const ground = { topic: `bench-${at}`, timeMs, kills };
      const outcome = await workload.run(measured, ground);
      findings.results.push({ system: system.name, workload: workload.name, round, outcome });
    }
  } catch (error) {
    // Others are measured nevertheless; of this one, what comes after in this round is not.
    findings.fail(what, error);
  } finally {
    await measured?.stop();
  }
}

/** Code that has just begun to run is slow: everything is measured as it is after some work. */
async function warmUp(measured: MeasuredCluster, timeMs: number): Promise<void> {
  await measured.begin("warm-up", KB);
  await measured.publish({ ...WARMUP, ms: timeMs });
  await measured.follow();
  await measured.finish();
  await measured.cluster.deleteTopic("warm-up");
}
