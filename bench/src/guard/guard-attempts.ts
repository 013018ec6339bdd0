/** Measures parts, and again what seems to be slower: noise has gone by then, a change has not. */

import { required } from "@quorumlog/std";
import type { GuardPart } from "./guard-part.ts";
import {
  type GuardFigure,
  type GuardFinding,
  OTHERS_MAX,
  type Verdict,
  verdictOf,
} from "./guard-verdict.ts";
import type { RatioRecords } from "./ratio-record.ts";

export interface AttemptOptions {
  readonly records: RatioRecords;
  /** @returns the figure of each case of the part. */
  readonly measure: (part: GuardPart) => Promise<ReadonlyMap<string, GuardFigure>>;
  /** In milliseconds. */
  readonly now: () => number;
  /** Nothing is measured again that would, taking as long as before, end later. */
  readonly againUntilMs: number;
  readonly say: (line: string) => void;
}

/** Measurements of a case that seems to be slower. */
const ATTEMPTS_MAX = 3;
/** A record stands for long: it is the median of so many measurements, each like a guarded one. */
const RECORD_TIMES = 3;
const RECORD_TRIES_MAX = 9;

/** @param parts - With the cases that are wanted of them; what has none is not started. */
export async function measureParts(
  parts: readonly GuardPart[],
  options: AttemptOptions,
): Promise<GuardFinding[]> {
  const { records, measure, now, againUntilMs, say } = options;
  const states = parts
    .filter(({ cases }) => cases.length > 0)
    .map((part) => ({
      part,
      tookMs: 0,
      findings: part.cases.map((name) => ({ name, figures: [] as GuardFigure[] })),
    }));
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++)
    for (const state of states) {
      const { part, findings } = state;
      const wanted = findings.filter(
        (finding) => attempt === 1 || isBelow(verdictOf(finding, records)),
      );
      if (wanted.length === 0) continue;
      const names = wanted.map(({ name }) => name);
      const startedAt = now();
      if (attempt > 1) {
        if (startedAt + state.tookMs > againUntilMs) {
          say(`no time to measure again: ${names.join(", ")}`);
          continue;
        }
        say(`below half of the record, measured again: ${names.join(", ")}`);
      }
      const measured = await measure({ ...part, cases: names });
      for (const { name, figures } of wanted)
        figures.push(required(measured.get(name), "what is measured has a figure"));
      state.tookMs = now() - startedAt;
    }
  return states.flatMap(({ findings }) => findings);
}

function isBelow(verdict: Verdict): boolean {
  return verdict === "slower" || verdict === "not judged";
}

export interface RecordedFindings {
  readonly findings: readonly GuardFinding[];
  /** Cases beside which other programs were too busy, again and again. */
  readonly disturbed: readonly string[];
}

/** Each case several times, of which none counts that other programs have disturbed. */
export async function measureForRecord(
  parts: readonly GuardPart[],
  { measure, say }: Pick<AttemptOptions, "measure" | "say">,
): Promise<RecordedFindings> {
  const findings: GuardFinding[] = [];
  const disturbed: string[] = [];
  for (const part of parts.filter(({ cases }) => cases.length > 0)) {
    const quiet: ReadonlyMap<string, GuardFigure>[] = [];
    for (let tries = 0; tries < RECORD_TRIES_MAX && quiet.length < RECORD_TIMES; tries++) {
      const measured = await measure(part);
      const others = Math.max(...[...measured.values()].map((figure) => figure.others));
      if (others <= OTHERS_MAX) quiet.push(measured);
      else say(`others had ${Math.round(others * 100)} % of the processors: measured again`);
    }
    if (quiet.length < RECORD_TIMES) disturbed.push(...part.cases);
    else
      for (const name of part.cases) {
        const figures = quiet.map((each) => required(each.get(name), "it has a figure"));
        findings.push({ name, figures });
      }
  }
  return { findings, disturbed };
}
