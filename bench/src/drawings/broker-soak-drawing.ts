/** A broker group under a full load as a picture: memory, disk and processors of each broker. */

import type { Drawing, LinePanel } from "../plot/chart.ts";
import { figure } from "../plot/figure.ts";
import type { BrokerSample, Stretch } from "../soak/broker-soak-group.ts";
import { type Finding, mean } from "../soak/trend.ts";

export interface BrokerSoakResults {
  readonly minutes: number;
  readonly inFlight: number;
  readonly verdict: readonly Finding[];
  readonly stretches: readonly Stretch[];
  /** By broker, each in order of time. */
  readonly series: readonly (readonly BrokerSample[])[];
}

type SampleValue = (sample: BrokerSample) => number;

const QUANTITIES: readonly (readonly [title: string, unit: string, valueOf: SampleValue])[] = [
  ["Anonymous memory", "MB", ({ anonymousMb }) => anonymousMb],
  ["Disk", "MB", ({ diskMb }) => diskMb],
  ["CPU", "cores", ({ cpuShare }) => cpuShare],
];
const CLIENT = "all brokers";
const MINUTE_MS = 60_000;

export function drawBrokerSoak(results: BrokerSoakResults): Drawing {
  const { minutes, inFlight, verdict, stretches, series } = results;
  const startedAt = series.flat().reduce((least, { at }) => Math.min(least, at), Infinity);
  const rate = mean(stretches.map(({ messages, seconds }) => messages / seconds));
  const minutesOf = (at: number): number => (at - startedAt) / MINUTE_MS;
  const panels = QUANTITIES.map(([title, unit, valueOf]): LinePanel => {
    const lines = series.map((samples, i) => {
      const points = samples.map((sample) => ({ x: minutesOf(sample.at), y: valueOf(sample) }));
      return { series: nameOf(i), points };
    });
    return { kind: "lines", title, unit, x: { title: "minutes" }, lines };
  });
  const rates = stretches.map(({ at, messages, seconds }) => {
    return { x: minutesOf(at), y: messages / seconds };
  });
  return {
    title: `A full load for ${minutes} ${minutes === 1 ? "minute" : "minutes"}`,
    lead:
      `Three brokers, ${figure(inFlight)} messages of 1 KB under way, ${figure(rate)} ` +
      "acknowledged per second; one consumer reads all of them; 1 GiB is retained.",
    series: [...series.map((_, i) => ({ name: nameOf(i) })), { name: CLIENT, tone: "ours" }],
    columns: 2,
    panels: [
      ...panels,
      {
        kind: "lines",
        title: "Acknowledged",
        unit: "messages/s",
        x: { title: "minutes" },
        lines: [{ series: CLIENT, points: rates }],
      },
    ],
    notes: verdict
      .filter(({ isGood }) => !isGood)
      .map(({ what, detail }) => `NOT OK: ${what}: ${detail}`),
  };
}

function nameOf(position: number): string {
  return `broker ${position + 1}`;
}
