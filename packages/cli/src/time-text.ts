/** A time as it is typed: a date, milliseconds since 1970, or how long ago. */

const AGO = /^-(?<count>\d{1,9})(?<unit>[smhd])$/u;
const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** @returns milliseconds since 1970, or `undefined` if it is no time. */
export function parseTime(text: string): number | undefined {
  const [, count, unit = ""] = AGO.exec(text) ?? [];
  if (count !== undefined) return Date.now() - Number(count) * (UNIT_MS[unit] ?? 0);
  if (/^\d{1,15}$/u.test(text)) return Number(text);
  const time = /^\d{4}-\d\d-\d\d/u.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : Math.max(0, time);
}

export function timeProblem(text: string): string | undefined {
  if (parseTime(text) !== undefined) return undefined;
  return "is no time, as in 2026-05-01T12:00:00Z, -90s, -15m, -2h, -3d or 1790000000000";
}

/** For people; empty if there is none. */
export function timeText(milliseconds: number | undefined): string {
  return milliseconds === undefined ? "" : new Date(milliseconds).toISOString();
}
