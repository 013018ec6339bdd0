/** `quorumlog consume`: prints the messages of a topic, by itself or as a member of a group. */

import {
  openAdmin,
  CLUSTER_SETTINGS,
  clusterOptions,
  clusterProblems,
} from "../cluster-settings.ts";
import { type Command, command } from "../command.ts";
import { consumeAlone, consumeInGroup, type Wish } from "../consumption.ts";
import { messageLine } from "../message-lines.ts";
import { writeLines } from "../output.ts";
import { parseTime, timeProblem } from "../time-text.ts";
import { topicOf } from "./topic-commands.ts";

/** Of a group that is not followed: its members may get their queues late. */
const GROUP_IDLE_MS = 5_000;

export const CONSUME: Command = command(
  {
    ...CLUSTER_SETTINGS,
    group: { type: "text", about: "consumes as a member of it, and commits; default: by itself" },
    from: {
      type: "text",
      about: "earliest, latest or a time; of a group: where it has not committed yet",
      fallback: "earliest",
      check: placeProblem,
    },
    tag: { type: "text", about: 'just these, as in "a || b"', fallback: "*", alias: "tags" },
    onUndecodable: {
      type: "text",
      about: "of messages that nobody can decode: stop in front of them, or skip them",
      oneOf: ["stop", "skip"],
      fallback: "stop",
    },
    follow: { type: "flag", about: "waits for what comes, until it is interrupted" },
    count: { type: "integer", about: "waits for so many, and ends", min: 1 },
    idleMs: { type: "integer", about: "ends when nothing came for so long", min: 1 },
  },
  {
    name: "consume",
    operand: { name: "TOPIC" },
    about: "prints the messages of a topic; by default those that are there now",
    examples: [
      "quorumlog consume orders",
      "quorumlog consume orders --group billing --follow",
      "quorumlog consume orders --from -15m --tag 'paid || sent' --json",
    ],
    relations: (settings) => {
      const { group, from = "" } = settings;
      const isGroupAtTime = group !== undefined && parseTime(from) !== undefined;
      const problem = "--from: a group begins at earliest or latest; see quorumlog offset reset";
      return [...clusterProblems(settings), ...(isGroupAtTime ? [problem] : [])];
    },
    async run({ settings, operand: topic, signal }) {
      const { group, from, tag: tags, follow, count, idleMs, json } = settings;
      await using admin = await openAdmin(settings, signal);
      topicOf(admin, topic);
      const isPatient = follow || count !== undefined || idleMs !== undefined;
      const isOver = !isPatient && group === undefined;
      const wish: Wish = {
        cluster: clusterOptions(settings),
        topic,
        tags,
        onUndecodable: settings.onUndecodable === "skip" ? "skip" : "stop",
        from: from === "earliest" || from === "latest" ? from : { timestamp: parseTime(from) ?? 0 },
        countMax: count ?? Number.POSITIVE_INFINITY,
        idleMs: idleMs ?? (isPatient ? Number.POSITIVE_INFINITY : GROUP_IDLE_MS),
        ends: isOver ? await admin.queueOffsets({ topic, place: "latest" }, { signal }) : undefined,
        write: (messages) => writeLines(messages.map((message) => messageLine(message, json))),
        signal,
      };
      await (group === undefined ? consumeAlone(wish) : consumeInGroup(wish, group));
    },
  },
);

function placeProblem(text: string): string | undefined {
  if (text === "earliest" || text === "latest") return undefined;
  const problem = timeProblem(text);
  return problem === undefined ? undefined : `is neither earliest nor latest, and ${problem}`;
}
