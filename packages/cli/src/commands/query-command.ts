/** `quorumlog query`: finds stored messages by key, by id, or by when they were stored. */

import type { ConsumedMessage } from "@quorumlog/client";
import { CLUSTER_SETTINGS, clusterProblems, openAdmin } from "../cluster-settings.ts";
import { type Command, command } from "../command.ts";
import { EXIT, tellFailure } from "../failure.ts";
import { messageLine } from "../message-lines.ts";
import { writeLines } from "../output.ts";
import { tableOf } from "../table.ts";
import { parseTime, timeProblem, timeText } from "../time-text.ts";

const BODY_SHOWN = 60;

export const QUERY: Command = command(
  {
    ...CLUSTER_SETTINGS,
    topic: { type: "text", about: "where to look; an id needs none" },
    key: { type: "text", about: "one of the message's keys" },
    id: { type: "text", about: "of the message, as a receipt has it: 7-0-42" },
    time: { type: "text", about: "stored then or later", check: timeProblem },
    until: { type: "text", about: "and before; default: now", check: timeProblem },
    count: { type: "integer", about: "at most so many", min: 1, max: 1_000, fallback: 32 },
  },
  {
    name: "query",
    about: "finds stored messages by key, by id, or by when they were stored",
    notes: ["Exit code 1 if there is none."],
    examples: [
      "quorumlog query --topic orders --key order-42",
      "quorumlog query --id 1-0-42",
      "quorumlog query --topic orders --time -15m",
    ],
    relations: (settings) => [...clusterProblems(settings), ...queryProblems(settings)],
    async run({ settings, signal }) {
      const { topic = "", key, id, time, until, count: maxMessages, json } = settings;
      await using admin = await openAdmin(settings, signal);
      const from = time === undefined ? {} : { from: parseTime(time) ?? 0 };
      const to = until === undefined ? {} : { to: parseTime(until) ?? 0 };
      const options = { ...from, ...to, maxMessages, signal };
      let messages: readonly ConsumedMessage[];
      if (id !== undefined) {
        const found = await admin.messageById(id, { signal });
        messages = found === undefined ? [] : [found];
      } else if (key !== undefined) {
        const found = await admin.messagesByKey(topic, key, options);
        ({ messages } = found);
        if (found.isTruncated) console.error(`quorumlog: there are more: see --count`);
      } else messages = await admin.messagesByTime(topic, options);
      if (json) await writeLines(messages.map((message) => messageLine(message, true)));
      else console.log(messageTable(messages));
      if (messages.length > 0) return EXIT.done;
      const none = { code: "NOT_FOUND", message: "no message was found" };
      tellFailure(json, { lines: [none.message], detail: { error: none } });
      return EXIT.failed;
    },
  },
);

function queryProblems(settings: {
  readonly topic?: string | undefined;
  readonly key?: string | undefined;
  readonly id?: string | undefined;
  readonly time?: string | undefined;
}): string[] {
  const { topic, key, id, time } = settings;
  if (id !== undefined)
    return topic === undefined && key === undefined && time === undefined
      ? []
      : ["--id finds one message by itself: leave --topic, --key and --time out"];
  const problems: string[] = [];
  if (topic === undefined) problems.push("--topic is required, unless there is --id");
  if (key === undefined && time === undefined) problems.push("say one of --key, --id, --time");
  return problems;
}

function messageTable(messages: readonly ConsumedMessage[]): string {
  const rows = messages.map((message) => {
    const { messageId, queue, offset, tag = "", keys, storeTimestamp } = message;
    const text = message.text().replaceAll(/[\s\p{Cc}]+/gu, " ");
    const body = text.length > BODY_SHOWN ? `${text.slice(0, BODY_SHOWN)}...` : text;
    return [messageId, queue, offset, timeText(storeTimestamp), tag, keys.join(","), body];
  });
  return tableOf(["id", "queue", "offset", "stored", "tag", "keys", "body"], rows);
}
