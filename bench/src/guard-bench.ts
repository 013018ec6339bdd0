/**
 * `npm run bench -- guard`: each part of the project beside its bare counterpart, and that beside
 * what was recorded, in less than two minutes. It fails below half of the record only.
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { FlagError } from "@quorumlog/std";
import { drawGuard, type GuardResults } from "./drawings/guard-drawing.ts";
import { OUTCOME_FOLDER, writeOutcome } from "./outcome/outcome.ts";
import { commitInWords, provenanceOf } from "./outcome/provenance.ts";
import { measureForRecord, measureParts } from "./guard/guard-attempts.ts";
import type { GuardPart } from "./guard/guard-part.ts";
import { GUARD_PARTS } from "./guard/guard-parts.ts";
import {
  adviceOn,
  type GuardFigure,
  type GuardFinding,
  guardTable,
  verdictOf,
} from "./guard/guard-verdict.ts";
import { measurePart, ROUND_MS } from "./guard/part-measurement.ts";
import {
  formatRecords,
  parseRecords,
  type RatioRecord,
  type RatioRecords,
} from "./guard/ratio-record.ts";
import { spreadOf } from "./spread.ts";

/** From the start of all. */
const AGAIN_UNTIL_MS = 105_000;

const RECORD_FILE = fileURLToPath(new URL("../guard.json", import.meta.url));

/**
 * @returns the exit code: 1 if something is below half of what was recorded, or if it is asked to
 *   record and could not record all.
 * @throws if something could not be measured.
 */
export async function runGuardBench(options: {
  /** Cases with this in their names. */
  readonly only: string | undefined;
  /** Whether what is measured becomes the record. */
  readonly isRecorded: boolean;
}): Promise<number> {
  const { only, isRecorded } = options;
  const parts = chosenParts(only);
  const former = parseRecords(readFileSync(RECORD_FILE, "utf8"));
  // An exit removes the folder; processes of a measurement end with this one.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => process.exit(1));
  mkdirSync(OUTCOME_FOLDER, { recursive: true });
  return isRecorded ? record(parts, former) : guard(parts, former);
}

async function guard(parts: readonly GuardPart[], records: RatioRecords): Promise<number> {
  const startedAt = performance.now();
  const findings = await measureParts(parts, {
    records,
    measure,
    now: () => performance.now() - startedAt,
    againUntilMs: AGAIN_UNTIL_MS,
    say,
  });
  await show(findings, records);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
  console.log(`${seconds} s, ${machine()}`);
  for (const line of adviceOn(findings, records, benchOf)) console.log(line);
  return findings.some((finding) => verdictOf(finding, records) === "slower") ? 1 : 0;
}

async function record(parts: readonly GuardPart[], former: RatioRecords): Promise<number> {
  const { findings, disturbed } = await measureForRecord(parts, { measure, say });
  if (findings.length > 0) {
    await show(findings, former);
    const text = formatRecords(new Map([...former, ...recordsOf(findings)]));
    // Read as the next run reads it: what it would refuse is not written.
    parseRecords(text);
    writeFileSync(RECORD_FILE, text);
    console.log(`recorded in ${RECORD_FILE}`);
  }
  for (const name of disturbed) console.log(`not recorded: ${name}: other programs were too busy`);
  return disturbed.length === 0 ? 0 : 1;
}

function measure(part: GuardPart): Promise<Map<string, GuardFigure>> {
  say(part.cases.join("; "));
  return measurePart(part, OUTCOME_FOLDER);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function show(findings: readonly GuardFinding[], records: RatioRecords): Promise<void> {
  console.log("");
  for (const line of guardTable(findings, records)) console.log(line);
  await writeOutcome({ bench: "guard", results: resultsOf(findings, records), draw: drawGuard });
}

/** @throws {@link FlagError} if no case has that in its name. */
function chosenParts(only: string | undefined): GuardPart[] {
  const parts = GUARD_PARTS.map((part) => ({
    ...part,
    cases: part.cases.filter((name) => only === undefined || name.includes(only)),
  }));
  if (parts.some(({ cases }) => cases.length > 0)) return parts;
  const names = GUARD_PARTS.flatMap(({ cases }) => cases).join("; ");
  throw new FlagError([`--only: no case has "${only}" in its name: ${names}`]);
}

function resultsOf(findings: readonly GuardFinding[], former: RatioRecords): GuardResults {
  const rows = findings.map((finding) => {
    const { name, figures } = finding;
    return { name, figures, recorded: former.get(name), verdict: verdictOf(finding, former) };
  });
  return { roundMs: ROUND_MS, rows };
}

function recordsOf(findings: readonly GuardFinding[]): Map<string, RatioRecord> {
  const { commit, date } = provenanceOf(OUTCOME_FOLDER, process.argv.slice(2));
  const about = {
    date: date.slice(0, "YYYY-MM-DD".length),
    machine: machine(),
    commit: commit === undefined ? "no repository" : commitInWords(commit),
  };
  return new Map(findings.map((finding) => [finding.name, { ratio: middleOf(finding), ...about }]));
}

function middleOf({ figures }: GuardFinding): number {
  return spreadOf(figures.map(({ ratio }) => ratio))?.median ?? Number.NaN;
}

function machine(): string {
  const cpu = cpus()[0]?.model ?? "an unknown processor";
  return `${cpu}, ${availableParallelism()} cores, Node.js ${process.versions.node}`;
}

function benchOf(name: string): string {
  return GUARD_PARTS.find(({ cases }) => cases.includes(name))?.bench ?? "";
}
