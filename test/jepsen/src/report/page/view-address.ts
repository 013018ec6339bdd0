/**
 * What is looked at, as the part of the address behind `#`, so that a view can be passed on:
 *
 *     report.html#queue:12.5-14     seconds since the run began
 */

export interface View {
  readonly workload: string;
  /** The whole run, if they are not there. */
  readonly fromNs?: number;
  readonly toNs?: number;
}

/** @returns `undefined` if it names none of them. */
export function parseView(hash: string, workloads: readonly string[]): View | undefined {
  const [name = "", range = ""] = decodeURIComponent(hash.slice(1)).split(":");
  if (!workloads.includes(name)) return undefined;
  const [from = Number.NaN, to = Number.NaN] = range.split("-").map((text) => Number(text) * 1e9);
  return from >= 0 && to > from ? { workload: name, fromNs: from, toNs: to } : { workload: name };
}

export function formatView({ workload, fromNs, toNs }: View): string {
  const name = `#${encodeURIComponent(workload)}`;
  if (fromNs === undefined || toNs === undefined) return name;
  return `${name}:${secondsOf(fromNs)}-${secondsOf(toNs)}`;
}

/** Without an exponent, and no finer than a microsecond. */
function secondsOf(ns: number): string {
  return (ns / 1e9).toFixed(6).replace(/\.?0+$/u, "");
}
