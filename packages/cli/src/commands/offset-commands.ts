/** `quorumlog offset show|reset`: how far consumer groups are, and where they go on. */

import type { QueuePlace } from "@quorumlog/client";
import { CLUSTER_SETTINGS, clusterProblems, openAdmin } from "../cluster-settings.ts";
import { type Command, command } from "../command.ts";
import { offsetTable } from "../offset-table.ts";
import { withProgress } from "../progress.ts";
import { parseTime, timeProblem } from "../time-text.ts";
import { tableOf } from "../table.ts";
import { topicOf } from "./topic-commands.ts";

const GROUP = { name: "GROUP" } as const;

export const OFFSET_SHOW: Command = command(
  {
    ...CLUSTER_SETTINGS,
    topic: { type: "text", about: "just of this one; default: all that it has consumed" },
  },
  {
    name: "offset show",
    operand: GROUP,
    about: "shows how far a consumer group is in each queue",
    relations: clusterProblems,
    async run({ settings, operand: group, signal }) {
      const { json, topic } = settings;
      await using admin = await openAdmin(settings, signal);
      if (topic !== undefined) topicOf(admin, topic);
      const all = await admin.groupOffsets(group, { signal });
      // Of a name that nobody has ever consumed under, this tells.
      if (all.length === 0) await admin.describeConsumerGroup(group, { signal });
      const offsets = all.filter((each) => topic === undefined || each.topic === topic);
      if (json) for (const offset of offsets) console.log(JSON.stringify({ group, ...offset }));
      else console.log(offsetTable(offsets));
    },
  },
);

const PLACES = {
  toTime: {
    type: "text",
    about: "the first message that was stored then, or later",
    check: timeProblem,
  },
  toOffset: { type: "integer", about: "the same in each queue", min: 0 },
  toEarliest: { type: "flag", about: "to the first one that is retained" },
  toLatest: { type: "flag", about: "to the end" },
} as const;

export const OFFSET_RESET: Command = command(
  {
    ...CLUSTER_SETTINGS,
    topic: { type: "text", about: "whose queues", isRequired: true },
    queue: { type: "integer", about: "just this one; default: all", min: 0, max: 65_535 },
    ...PLACES,
    dryRun: { type: "flag", about: "says where it would go on, and changes nothing" },
  },
  {
    name: "offset reset",
    operand: GROUP,
    about: "has a consumer group go on elsewhere, also while it consumes",
    examples: ["quorumlog offset reset billing --topic orders --to-time -2h --dry-run"],
    relations: (settings) => {
      const given = Object.keys(PLACES) as (keyof typeof PLACES)[];
      const said = given.filter((name) => settings[name] !== undefined && settings[name] !== false);
      const one = "one of --to-time, --to-offset, --to-earliest, --to-latest";
      return [
        ...clusterProblems(settings),
        ...(said.length === 1 ? [] : [`say ${one}, and no other`]),
      ];
    },
    async run({ settings, operand: group, signal }) {
      const { json, topic, queue: only, dryRun } = settings;
      const place = placeOf(settings);
      await using admin = await openAdmin(settings, signal);
      const queues = only === undefined ? {} : { queues: [only] };
      const order = { group, topic, place, ...queues, isDryRun: dryRun };
      const moves = await withProgress(`group ${group} is moved`, () =>
        admin.resetOffsets(order, { signal }),
      );
      if (json) {
        for (const move of moves) console.log(JSON.stringify({ group, ...move, isDone: !dryRun }));
        return;
      }
      const rows = moves.map(({ queue, memberId, from, to }) => {
        return [topic, queue, memberId ?? "", from ?? "-", to];
      });
      console.log(tableOf(["topic", "queue", "member", "from", "to"], rows));
      const what = dryRun ? "would go on there; nothing has changed" : "goes on there";
      console.log(`group ${group} ${what}`);
      if (moves.every(({ from }) => from === undefined))
        console.error(`quorumlog: it has committed nothing of "${topic}" before: a new group?`);
    },
  },
);

function placeOf(settings: {
  readonly toTime: string | undefined;
  readonly toOffset: number | undefined;
  readonly toEarliest: boolean;
}): QueuePlace {
  const { toTime, toOffset, toEarliest } = settings;
  if (toTime !== undefined) return { timestamp: parseTime(toTime) ?? 0 };
  if (toOffset !== undefined) return toOffset;
  return toEarliest ? "earliest" : "latest";
}
