/** Numbers as people read them. */

const COUNT = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export function countText(value: number): string {
  return COUNT.format(value);
}

/** Three figures and a unit: `12.3 ms`. */
export function durationText(ns: number): string {
  if (ns < 1e3) return `${Math.round(ns)} ns`;
  if (ns < 1e6) return `${figures(ns / 1e3)} µs`;
  if (ns < 1e9) return `${figures(ns / 1e6)} ms`;
  if (ns < 120e9) return `${figures(ns / 1e9)} s`;
  return `${Math.floor(ns / 60e9)} min ${Math.round((ns % 60e9) / 1e9)} s`;
}

/** Since the run began: `83.25 s`, with as many places as tell moments `stepNs` apart. */
export function momentText(ns: number, stepNs: number): string {
  const places = Math.min(6, Math.max(0, Math.ceil(-Math.log10(stepNs / 1e9) - 1e-9)));
  return `${(ns / 1e9).toFixed(places)} s`;
}

function figures(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toPrecision(3);
}
