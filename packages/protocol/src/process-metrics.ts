/** What is measured of a process, whatever it does. */

import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import type { Metric } from "./metrics.ts";

const RESOLUTION_MS = 20;
const QUANTILES = [0.5, 0.99, 1] as const;
const NANOSECONDS = 1e9;
const MICROSECONDS = 1e6;

export class ProcessMetrics {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #startedAt = Date.now() / 1_000 - process.uptime();

  constructor() {
    this.#delay.enable();
  }

  /** The delays are those since they were asked for last. */
  table(): readonly Metric[] {
    return [
      {
        name: "process_start_time_seconds",
        type: "gauge",
        help: "When the process was started, in seconds since 1970.",
        samples: () => this.#startedAt,
      },
      {
        name: "process_cpu_seconds_total",
        type: "counter",
        help: "Time that processors have spent on it, in user and system mode.",
        samples: () => {
          const { user, system } = process.cpuUsage();
          return (user + system) / MICROSECONDS;
        },
      },
      {
        name: "process_resident_memory_bytes",
        type: "gauge",
        help: "Memory that it has.",
        samples: () => process.memoryUsage.rss(),
      },
      {
        name: "nodejs_eventloop_delay_seconds",
        type: "gauge",
        help: "How late the event loop was, since this was asked for last.",
        samples: () => this.#takeDelays(),
      },
    ];
  }

  close(): void {
    this.#delay.disable();
  }

  /** Its timer ticks each 20 ms: what is more than that is delay. */
  #takeDelays(): { labels: { quantile: number }; value: number }[] {
    const samples = QUANTILES.map((quantile) => {
      const nanoseconds = this.#delay.percentile(quantile * 100);
      const seconds = Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION_MS / 1_000);
      return { labels: { quantile }, value: seconds };
    });
    this.#delay.reset();
    return samples;
  }
}
