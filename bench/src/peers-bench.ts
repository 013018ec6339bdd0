/**
 * `npm run bench -- peers`: this project beside other systems that promise the same, each started
 * here as three nodes, under the same load from the same kind of client.
 */

import { mkdirSync } from "node:fs";
import { drawPeers } from "./drawings/peers-drawing.ts";
import { OUTCOME_FOLDER, writeFigures, writeOutcome } from "./outcome/outcome.ts";
import { BARE } from "./peers/bare-contender.ts";
import { chosenSystems, chosenWorkloads, turned, wordsOfMissing } from "./peers/choice.ts";
import type { Contender, RunningContender } from "./peers/contender.ts";
import { Findings, wordsOfValues } from "./peers/findings.ts";
import type { GivenFolders } from "./peers/peer-system.ts";
import { missingParts, SYSTEMS } from "./peers/peer-systems.ts";
import { WORKLOADS } from "./peers/peer-workloads.ts";
import { systemContender } from "./peers/system-contender.ts";
import type { Workload } from "./peers/workload.ts";

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

const BENCH = "peers";
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

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
  const folder = OUTCOME_FOLDER;
  mkdirSync(folder, { recursive: true });
  const contenders = [
    ...systems.map((system) => systemContender(system, options.folders)),
    BARE,
  ].filter(({ takes }) => workloads.some(takes));
  const names = contenders.map(({ name }) => name);
  const findings = new Findings({ ...options, names, workloads, notes });
  const end = (signal: NodeJS.Signals): never => endBy(signal, findings);
  for (const signal of SIGNALS) process.on(signal, end);
  for (let round = 0; round < options.rounds; round++)
    for (const contender of turned(contenders, round)) {
      await measure(contender, { ...options, round, folder, workloads, findings });
      // What an earlier run has left is there until this one has something.
      if (!findings.isEmpty) writeFigures({ bench: BENCH, results: findings.results(false) });
    }
  for (const signal of SIGNALS) process.off(signal, end);
  for (const line of findings.lines()) console.log(line);
  await writeOutcome({ bench: BENCH, results: findings.results(true), draw: drawPeers });
  if (!findings.isSound) throw new Error("not everything was measured, or read back as it was");
}

/** An exit ends the servers and removes their folders; a second signal does not cut that short. */
function endBy(signal: string, findings: Findings): never {
  for (const line of findings.lines()) console.log(line);
  const results = findings.results(false);
  const where = findings.isEmpty
    ? "nothing is written"
    : `written to ${writeFigures({ bench: BENCH, results })}`;
  console.log(`\nended by ${signal}: not complete; ${where}`);
  process.exit(1);
}

async function measure(
  contender: Contender,
  turn: PeersBenchOptions & {
    readonly round: number;
    readonly folder: string;
    readonly workloads: readonly Workload[];
    readonly findings: Findings;
  },
): Promise<void> {
  const { round, rounds, findings, timeMs, kills } = turn;
  const { name } = contender;
  const wordsOf = (what: string): string => `round ${round + 1}/${rounds}, ${name}, ${what}`;
  let what = "start";
  process.stderr.write(`${wordsOf(what)}\n`);
  let running: RunningContender | undefined;
  try {
    running = await contender.start(turn.folder);
    findings.present(name, running.card);
    await running.warmUp(timeMs);
    for (const [at, workload] of turn.workloads.filter(contender.takes).entries()) {
      what = workload.name;
      const ground = { topic: `bench-${at}`, timeMs, kills };
      const outcome = await running.measure(workload, ground);
      findings.add({ system: name, workload: what, round, outcome });
      const words = wordsOfValues(outcome.values, workload.unit);
      process.stderr.write(`${wordsOf(what)}: ${words}\n`);
    }
  } catch (error) {
    // Others are measured nevertheless; of this one, what comes after in this round is not.
    process.stderr.write(`${findings.fail(wordsOf(what), error)}\n`);
  } finally {
    await running?.stop();
  }
}
