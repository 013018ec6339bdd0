/** `quorumlog log stat|verify|dump`: a look at the log of a stopped node. */

import { inspectLog, type LogInspection, LogUsageError } from "@quorumlog/log";
import { JSON_SETTING } from "../cluster-settings.ts";
import { type Command, command } from "../command.ts";
import { UsageError } from "../settings.ts";

const DIRECTORY = { name: "DIR" } as const;
const NOTES = [
  "DIR is the directory with the segments: group-N/log in a broker's --data-dir. The node has to",
  "be stopped; nothing is written. Exit code 0: all is well, a torn tail included; 1: damaged.",
];

export const LOG_STAT: Command = command(
  { json: JSON_SETTING },
  {
    name: "log stat",
    operand: DIRECTORY,
    about: "whose log it is, what it holds, and its files",
    notes: NOTES,
    run: ({ settings: { json: isJson }, operand: directory }) =>
      inspect({ command: "stat", directory, isJson }),
  },
);

export const LOG_VERIFY: Command = command(
  { json: JSON_SETTING },
  {
    name: "log verify",
    operand: DIRECTORY,
    about: "reads every frame of a log, and says what is sound, torn or corrupt",
    notes: NOTES,
    run: ({ settings: { json: isJson }, operand: directory }) =>
      inspect({ command: "verify", directory, isJson }),
  },
);

export const LOG_DUMP: Command = command(
  {
    from: { type: "integer", about: "begins with the first entry of that index or more", min: 1 },
    count: { type: "integer", about: "at most so many frames", min: 1 },
    hex: { type: "flag", about: "their payloads, too" },
    json: JSON_SETTING,
  },
  {
    name: "log dump",
    operand: DIRECTORY,
    about: "prints the frames of a log, in the order of its files",
    notes: NOTES,
    run: ({ settings: { from, count: countMax = Infinity, hex, json }, operand: directory }) =>
      inspect({ command: "dump", directory, isJson: json, from, countMax, isHex: hex }),
  },
);

async function inspect(request: LogInspection): Promise<number> {
  try {
    return await inspectLog(request);
  } catch (error) {
    if (error instanceof LogUsageError) throw new UsageError([error.message]);
    throw error;
  }
}
