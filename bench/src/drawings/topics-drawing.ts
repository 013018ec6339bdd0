/** A thousand topics as a picture: their rate beside that of one, and a restart of them all. */

import type { BarPanel, Drawing } from "../plot/chart.ts";
import { measuredBar, wordsOfRounds } from "./measured.ts";

export interface TopicsRow {
  readonly inFlight: number;
  readonly one: readonly number[];
  readonly many: readonly number[];
  /** While the groups consume what is published. */
  readonly consumed: readonly number[];
}

export interface Restart {
  /** Until each node serves. */
  readonly openSeconds: number;
  /** Until a message is acknowledged. */
  readonly publishSeconds: number;
}

export interface TopicsResults {
  readonly timeMs: number;
  readonly rounds: number;
  readonly topicCount: number;
  readonly groupCount: number;
  readonly rows: readonly TopicsRow[];
  readonly restarts: readonly Restart[];
  /** Messages, by all groups. */
  readonly consumed: number;
}

export function drawTopics(results: TopicsResults): Drawing {
  const { rounds, rows, restarts } = results;
  const [topics, groups] = [results.topicCount, results.groupCount].map((count) =>
    count.toLocaleString("en-US"),
  );
  const many = `${topics} topics, ${groups} groups that wait`;
  const meanwhile = `${topics} topics, ${groups} groups that consume`;
  const published: BarPanel = {
    kind: "bars",
    title: "Published",
    unit: "messages of 1 KB per second",
    groups: rows.map((row) => ({
      name: `${row.inFlight.toLocaleString("en-US")} under way`,
      bars: [
        measuredBar(many, row.many),
        measuredBar(meanwhile, row.consumed),
        measuredBar("one topic", row.one),
      ],
    })),
  };
  const restarted: BarPanel = {
    kind: "bars",
    title: "After kill -9 of all nodes",
    unit: "seconds",
    groups: [
      { name: "all serve", bars: [measuredBar(many, restarts.map(openSecondsOf))] },
      {
        name: "a message is acknowledged",
        bars: [
          measuredBar(
            many,
            restarts.map(({ publishSeconds }) => publishSeconds),
          ),
        ],
      },
    ],
  };
  return {
    title: `${topics} topics on one broker group`,
    lead: `Beside one topic without consumers, synced on a majority; ${wordsOfRounds(rounds)}.`,
    series: [
      { name: many, tone: "ours" },
      { name: meanwhile },
      { name: "one topic", tone: "bare" },
    ],
    panels: [published, restarted],
    notes: [
      `Each group has its share of the topics. They consumed ` +
        `${results.consumed.toLocaleString("en-US")} messages. Restarts: ${restarts.length}.`,
    ],
  };
}

function openSecondsOf({ openSeconds }: Restart): number {
  return openSeconds;
}
