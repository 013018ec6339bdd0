/** Systems side by side as a picture: a panel for each workload, this project above the others. */

import type { PeerCard, PeerResult } from "../peers/peer-table.ts";
import type { Workload } from "../peers/workload.ts";
import type { Bar, Drawing, Panel } from "../plot/chart.ts";
import { measuredBar, wordsOfRounds } from "./measured.ts";

export interface PeersResults {
  /** Whether all rounds are in it; of a run that goes on, or was ended, those that are over. */
  readonly isComplete: boolean;
  readonly timeMs: number;
  readonly rounds: number;
  readonly kills: number;
  /** By name, in the order of the table: the first one is this project, the last one bare. */
  readonly systems: Readonly<Record<string, PeerCard>>;
  readonly workloads: readonly Pick<Workload, "name" | "unit" | "isMoreBetter" | "judgedBy">[];
  readonly notes: readonly string[];
  readonly results: readonly PeerResult[];
  readonly failures: readonly string[];
}

const [OURS, PEERS, BARE] = ["quorumlog", "others", "bare"];
/** Names of figures beside, as workloads have them. */
const [P99, BARE_RATE] = ["p99 ms", "bare/s"];

export function drawPeers(results: PeersResults): Drawing {
  const { systems, workloads, rounds, kills, failures, isComplete } = results;
  const faults = results.results.flatMap(({ system, workload, outcome }) => {
    return outcome.faults.map((fault) => `${system}, ${workload}: ${fault}`);
  });
  const cards = Object.entries(systems).map(
    ([name, { version, durability }]) => `${name} ${version}: ${durability}`,
  );
  return {
    title: "Replicated logs side by side",
    lead:
      "Three nodes each on this machine, the same load from the same kind of client, everything " +
      `read back; ${wordsOfRounds(rounds)}.`,
    series: [
      { name: OURS, tone: "ours" },
      { name: PEERS, tone: "peer" },
      { name: BARE, tone: "bare" },
    ],
    hasLegend: false,
    columns: 2,
    panels: workloads.flatMap((workload) => panelsOf(workload, results)),
    notes: [
      `${cards.join("; ")}.`,
      "x N: so many messages under way. " +
        `Kills of a leader in each round: ${kills}, a dot each.`,
      ...(isComplete ? [] : ["Not complete: the run had not come to its end."]),
      ...(failures.length + faults.length > 0
        ? [`Not sound: ${counted([...failures, ...faults]).join("; ")}.`]
        : []),
    ],
  };
}

/** What was said several times is said once, and how often. */
function counted(words: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const each of words) counts.set(each, (counts.get(each) ?? 0) + 1);
  return [...counts].map(([each, count]) => (count === 1 ? each : `${each} (${count} times)`));
}

/** None of a workload that was not run. */
function panelsOf(workload: PeersResults["workloads"][number], results: PeersResults): Panel[] {
  const { name, unit, isMoreBetter, judgedBy } = workload;
  const mine = results.results.filter((result) => result.workload === name);
  if (mine.length === 0) return [];
  const systems = Object.keys(results.systems).filter(
    (system) => !isBare(system, results) || mine.some((result) => result.system === system),
  );
  const of = (system: string): readonly PeerResult[] =>
    mine.filter((result) => result.system === system);
  const toneOf = (system: string): string => {
    if (isBare(system, results)) return BARE;
    return system === systems[0] ? OURS : PEERS;
  };
  const words = `${unit}, ${isMoreBetter ? "more" : "less"} is better`;
  if (judgedBy === "worst") {
    const rows = systems.map((system) => ({
      name: labelOf(system, results),
      series: toneOf(system),
      values: of(system).flatMap(({ outcome }) => outcome.values),
    }));
    return [{ kind: "dots", title: name, unit: words, scale: "log", rows }];
  }
  const barsOf = (title: string, words_: string, valuesOf: ValuesOf, bare?: Bar): Panel => ({
    kind: "bars",
    title,
    unit: words_,
    groups: [
      ...systems.map((system) => ({
        name: labelOf(system, results),
        bars: [measuredBar(toneOf(system), of(system).flatMap(valuesOf))],
      })),
      ...(bare === undefined ? [] : [{ name: "bare stream", bars: [bare] }]),
    ],
  });
  const bareRates = of(systems[0] ?? "").flatMap(({ outcome }) => outcome.beside[BARE_RATE] ?? []);
  const bare = bareRates.length === 0 ? undefined : measuredBar(BARE, bareRates);
  const main = barsOf(name, words, ({ outcome }) => outcome.values, bare);
  if (isMoreBetter) return [main];
  // What is late is asked for by its tail, too.
  const tail = barsOf(
    name,
    "p99 in ms, less is better",
    ({ outcome }) => outcome.beside[P99] ?? [],
  );
  return [main, tail];
}

function isBare(system: string, { systems }: Pick<PeersResults, "systems">): boolean {
  return systems[system]?.isBare === true;
}

/** What does not promise the same is told where it is seen. */
function labelOf(system: string, { systems }: Pick<PeersResults, "systems">): string {
  const { durability = "" } = systems[system] ?? {};
  if (isBare(system, { systems })) return "bare program";
  return durability.startsWith("no ") ? `${system} (no fsync)` : system;
}

type ValuesOf = (result: PeerResult) => number | readonly number[];
