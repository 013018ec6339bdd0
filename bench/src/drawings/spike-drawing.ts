/** The spike as a picture: containers, peers and ways to sync, beside a bare program each. */

import type { BarPanel, Drawing } from "../plot/chart.ts";
import type { SpikeFigures, SpikeLoad, SpikeServers } from "../spike/spike-group.ts";
import { measuredBar, wordsOfRounds } from "./measured.ts";

export interface SpikeCase {
  readonly name: string;
  readonly server: SpikeServers;
  readonly load: SpikeLoad;
}

export interface SpikeResults {
  readonly timeMs: number;
  readonly rounds: number;
  readonly cases: readonly (SpikeCase & { readonly rows: readonly SpikeFigures[] })[];
}

const [FULL, BARE] = ["the data path", "bare: the same bytes"];

export function drawSpike({ cases, rounds }: SpikeResults): Drawing {
  const loads = [...new Set(cases.map(({ load }) => load.inFlight))].sort((a, b) => b - a);
  return {
    title: "The shape of the data path",
    lead:
      "Messages of 1 KB through a leader and two followers, synced on all three; " +
      `${wordsOfRounds(rounds)}.`,
    series: [
      { name: FULL, tone: "ours" },
      { name: BARE, tone: "bare" },
    ],
    panels: loads.map((inFlight): BarPanel => ({
      kind: "bars",
      title: `${inFlight.toLocaleString("en-US")} under way`,
      unit: "messages/s",
      groups: groupsOf(cases.filter(({ load }) => load.inFlight === inFlight)),
    })),
    notes: ["How peers are reached, how files are synced, and how large a container may grow."],
  };
}

function groupsOf(cases: SpikeResults["cases"]): BarPanel["groups"] {
  const names = [...new Set(cases.map(shapeOf))];
  return names.map((name) => ({
    name,
    bars: (["full", "bare"] as const).flatMap((work) => {
      const found = cases.find((each) => each.server.work === work && shapeOf(each) === name);
      if (found === undefined) return [];
      const rates = found.rows.map(({ messagesPerSecond }) => messagesPerSecond);
      return [measuredBar(work === "full" ? FULL : BARE, rates)];
    }),
  }));
}

function shapeOf({ server, load }: SpikeCase): string {
  return `${server.peers}, ${server.sync}, ${load.containerBytes / 1_024} KB`;
}
