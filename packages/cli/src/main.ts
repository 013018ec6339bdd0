#!/usr/bin/env node
/** The command line: finds the command, reads its settings, runs it, and says what went wrong. */

import { OperationError } from "@quorumlog/protocol";
import type { Command } from "./command.ts";
import { BROKER } from "./commands/broker-command.ts";
import { CONSUME } from "./commands/consume-command.ts";
import { NAMESERVER } from "./commands/nameserver-command.ts";
import { PRODUCE } from "./commands/produce-command.ts";
import { CLUSTER_STATUS } from "./commands/status-command.ts";
import { TOPIC_CREATE, TOPIC_DELETE, TOPIC_LIST } from "./commands/topic-commands.ts";
import { UP } from "./commands/up-command.ts";
import { commandHelp, overview } from "./help.ts";
import { readSettings, UsageError } from "./settings.ts";

const COMMANDS: readonly Command[] = [
  UP,
  NAMESERVER,
  BROKER,
  TOPIC_CREATE,
  TOPIC_LIST,
  TOPIC_DELETE,
  PRODUCE,
  CONSUME,
  CLUSTER_STATUS,
];
const EXIT = { usage: 2, failed: 1, interrupted: 130 } as const;

async function main(args: readonly string[]): Promise<number> {
  const command = COMMANDS.find(({ name }) => {
    const words = name.split(" ");
    return words.every((word, i) => args[i] === word);
  });
  const wantsHelp = args.includes("--help") || args.includes("-h");
  if (command === undefined) {
    console.log(overview(COMMANDS));
    return args.length === 0 || wantsHelp ? 0 : EXIT.usage;
  }
  if (wantsHelp) {
    console.log(commandHelp(command));
    return 0;
  }
  const controller = new AbortController();
  const onInterrupt = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort();
  };
  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", onInterrupt);
  const rest = args.slice(command.name.split(" ").length);
  const sources = { args: rest, environment: process.env };
  const { settings, operands } = readSettings(command.settings, sources);
  return (await command.run({ settings, operands, signal: controller.signal })) ?? 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    for (const problem of error.problems) console.error(`quorumlog: ${problem}`);
    process.exitCode = EXIT.usage;
  } else if (error instanceof OperationError) {
    console.error(`quorumlog: ${error.code}: ${error.message}`);
    process.exitCode = EXIT.failed;
  } else throw error;
}
