/** What measured ratios say beside the recorded ones. */

import type { RatioRecords } from "./ratio-record.ts";

/** One measurement of a case. */
export interface GuardFigure {
  /** The real thing's speed as a share of the bare one's: the median of the rounds. */
  readonly ratio: number;
  /** Share of the processors that other programs had meanwhile, in [0, 1]. */
  readonly others: number;
}

/** The first measurement of one case, and each that was taken again. */
export interface GuardFinding {
  readonly name: string;
  readonly figures: readonly GuardFigure[];
}

/** `not judged`: it seems to be slower, but other programs had too much of the machine. */
export type Verdict = "holds" | "slower" | "not judged" | "not recorded";

/** Below this share of the record it is slower: what noise does to medians is less. */
const FLOOR = 0.5;

/**
 * Beside busier programs only what is good is believed: the real thing has more processes and
 * threads than its bare counterpart, and waits for its turn more often.
 */
export const OTHERS_MAX = 0.15;

/** The best of its measurements counts: noise slows down one, a change of the code all. */
function ratioOf({ figures }: GuardFinding): number {
  return Math.max(...figures.map(({ ratio }) => ratio));
}

export function verdictOf(finding: GuardFinding, records: RatioRecords): Verdict {
  const record = records.get(finding.name);
  if (record === undefined) return "not recorded";
  // What is not a number does not hold.
  if (ratioOf(finding) >= record.ratio * FLOOR) return "holds";
  return finding.figures.some(({ others }) => others <= OTHERS_MAX) ? "slower" : "not judged";
}

/** One line for each finding, beneath a head. */
export function guardTable(findings: readonly GuardFinding[], records: RatioRecords): string[] {
  const width = Math.max(...findings.map(({ name }) => name.length)) + 2;
  const lines = findings.map((finding) => {
    const { name, figures } = finding;
    const record = records.get(name);
    const ratio = ratioOf(finding);
    const others = Math.min(...figures.map((figure) => figure.others));
    const cells = [
      figureOf(ratio),
      figureOf(record?.ratio),
      figureOf(record && ratio / record.ratio),
      `${Math.round(others * 100)} %`,
    ];
    const row = cells.map((cell) => cell.padStart(10)).join("");
    const from = record === undefined ? "" : `, recorded ${record.date} at ${record.commit}`;
    const again = figures.length > 1 ? `, measured ${inWords(finding)}` : "";
    return `${name.padEnd(width)}${row}  ${verdictOf(finding, records)}${again}${from}`;
  });
  const heads = ["of bare", "recorded", "of that", "others"];
  return [`${"".padEnd(width)}${heads.map((head) => head.padStart(10)).join("")}`, ...lines];
}

function inWords({ figures }: GuardFinding): string {
  return figures.map(({ ratio }) => figureOf(ratio)).join(", then ");
}

function figureOf(ratio: number | undefined): string {
  return ratio === undefined || Number.isNaN(ratio) ? "-" : ratio.toPrecision(2);
}

/**
 * What is to be done about findings that do not hold.
 *
 * @param benchOf - The measurement that tells more of a case.
 * @returns no lines if all hold.
 */
export function adviceOn(
  findings: readonly GuardFinding[],
  records: RatioRecords,
  benchOf: (name: string) => string,
): string[] {
  const of = (verdict: Verdict): GuardFinding[] =>
    findings.filter((finding) => verdictOf(finding, records) === verdict);
  return [
    ...adviceOnUnrecorded(of("not recorded")),
    ...adviceOnUnjudged(of("not judged")),
    ...adviceOnSlower(of("slower"), records, benchOf),
  ];
}

function adviceOnUnrecorded(findings: readonly GuardFinding[]): string[] {
  return findings.map(
    ({ name }) => `${name}: npm run bench -- guard --only "${name}" --record   records it`,
  );
}

function adviceOnUnjudged(findings: readonly GuardFinding[]): string[] {
  if (findings.length === 0) return [];
  const names = findings.map(({ name }) => name).join(", ");
  const most = Math.round(OTHERS_MAX * 100);
  return [
    `not judged: ${names}: below half of the record, but other programs had more than ${most} %`,
    "of the processors each time: npm run bench -- guard, when nothing else runs",
  ];
}

function adviceOnSlower(
  findings: readonly GuardFinding[],
  records: RatioRecords,
  benchOf: (name: string) => string,
): string[] {
  const [first] = findings;
  if (first === undefined) return [];
  const lines = findings.map((finding) => {
    const { ratio, commit = "", machine = "" } = records.get(finding.name) ?? {};
    const was = `${figureOf(ratio)} at ${commit} on ${machine}`;
    return `  ${finding.name}: ${inWords(finding)} of its bare counterpart, was ${was}`;
  });
  const names = findings.map(({ name }) => name);
  const benches = [...new Set(names.map(benchOf))];
  const [commit = ""] = records.get(first.name)?.commit.split(" ") ?? [];
  return [
    "BELOW HALF OF WHAT WAS RECORDED:",
    ...lines,
    "What to do:",
    ...names.map((name) => `  npm run bench -- guard --only "${name}"   whether it stays so`),
    ...benches.map((bench) => `  npm run bench -- ${bench}   rates, latencies and processor time`),
    `  git worktree add ../before ${commit}   the guard holds there, if it is the code and not the`,
    `  machine; then git log ${commit}.. or git bisect finds the change`,
    "  npm run bench -- guard --record   if it has to be so; the commit says why",
  ];
}
