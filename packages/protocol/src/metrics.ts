/** Figures for those who watch, in the text format that Prometheus reads. */

export interface MetricSample {
  readonly labels?: Readonly<Record<string, string | number>>;
  /** Behind the metric's name: `_bucket` and its like. */
  readonly suffix?: string;
  readonly value: number;
}

/** A row of a table of metrics: what it is called, what it is, and its figures as of now. */
export interface Metric {
  /** With its unit: `_bytes`, `_seconds`; `_total` of what only grows. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly samples: () => number | Iterable<MetricSample>;
}

/** Counts how many of something were not larger than each of a few bounds. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  /** @param bounds - Ascending. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count += 1;
    const at = this.#bounds.findIndex((bound) => value <= bound);
    if (at >= 0) this.#counts[at] = (this.#counts[at] as number) + 1;
  }

  *samples(): Generator<MetricSample> {
    let below = 0;
    for (const [i, bound] of this.#bounds.entries()) {
      below += this.#counts[i] as number;
      yield { suffix: "_bucket", labels: { le: bound }, value: below };
    }
    yield { suffix: "_bucket", labels: { le: "+Inf" }, value: this.#count };
    yield { suffix: "_sum", value: this.#sum };
    yield { suffix: "_count", value: this.#count };
  }
}

export function metricsText(metrics: readonly Metric[]): string {
  const lines: string[] = [];
  for (const { name, type, help, samples } of metrics) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    const found = samples();
    for (const { labels, suffix = "", value } of typeof found === "number"
      ? [{ value: found }]
      : found)
      lines.push(`${name}${suffix}${labelsText(labels)} ${value}`);
  }
  return `${lines.join("\n")}\n`;
}

function labelsText(labels: MetricSample["labels"]): string {
  if (labels === undefined) return "";
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return `{${parts.join(",")}}`;
}

function escaped(value: string | number): string {
  return String(value).replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
