/**
 * The ratios that were recorded, in a file of the repository:
 *
 *     "log 4 KB x 8": { "ratio": 0.81, "date": "2026-11-22", "machine": "...", "commit": "..." }
 */

export interface RatioRecord {
  /** The real thing's speed as a share of the bare one's; above 0. */
  readonly ratio: number;
  /** As YYYY-MM-DD. */
  readonly date: string;
  readonly machine: string;
  /** With words behind it if something was not committed. */
  readonly commit: string;
}

/** By name. */
export type RatioRecords = ReadonlyMap<string, RatioRecord>;

const TEXT_FIELDS = ["date", "machine", "commit"] as const;
const FIELDS: ReadonlySet<string> = new Set(["ratio", ...TEXT_FIELDS]);
const RATIO_DIGITS = 3;

/** @throws if the text is none of records, with all that is wrong. */
export function parseRecords(text: string): RatioRecords {
  const json: unknown = JSON.parse(text);
  if (!isObject(json)) throw new Error("recorded ratios are an object, by name");
  const entries = Object.entries(json);
  const problems = entries.flatMap(([name, value]) =>
    problemsOf(value).map((problem) => `"${name}": ${problem}`),
  );
  if (problems.length > 0) throw new Error(problems.join("\n"));
  return new Map(entries as [string, RatioRecord][]);
}

function problemsOf(value: unknown): string[] {
  if (!isObject(value)) return ["not an object"];
  const problems = Object.keys(value)
    .filter((field) => !FIELDS.has(field))
    .map((field) => `${field} is no field of a record`);
  const { ratio } = value;
  if (typeof ratio !== "number" || !(ratio > 0)) problems.push("ratio is not a number above 0");
  for (const field of TEXT_FIELDS)
    if (typeof value[field] !== "string" || value[field] === "")
      problems.push(`${field} is not a text`);
  return problems;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function formatRecords(records: RatioRecords): string {
  const rounded = [...records].map(([name, record]) => {
    return [name, { ...record, ratio: Number(record.ratio.toPrecision(RATIO_DIGITS)) }] as const;
  });
  return `${JSON.stringify(Object.fromEntries(rounded), undefined, 2)}\n`;
}
