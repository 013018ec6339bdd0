#!/usr/bin/env node
/** The command line: finds the command, reads its settings, runs it, and says what went wrong. */

import { readFileSync } from "node:fs";
import type { Command } from "./command.ts";
import { COMMANDS } from "./command-table.ts";
import { EXIT, exitCodeOf, failureOf, tellFailure } from "./failure.ts";
import { commandHelp, overview } from "./help.ts";
import { nearestName } from "./nearest-name.ts";
import { endWithReader } from "./output.ts";
import { endSignalOf, lifeSignal } from "./process-life.ts";
import { flagName } from "./setting-spec.ts";
import { readSettings, type Settings, UsageError } from "./settings.ts";

/** What `quorumlog` was called with, before anything runs. */
interface Call {
  readonly command: Command;
  readonly settings: Settings;
  readonly operand: string;
}

const VERSION_WORDS: readonly string[] = ["--version", "-v", "-V", "version"];

async function main(args: readonly string[]): Promise<number> {
  const isHelp = args[0] === "help" || args.includes("--help") || args.includes("-h");
  const words = args[0] === "help" ? args.slice(1) : args;
  if (isHelp || words.length === 0) {
    return tellHelp(words.filter((word) => !word.startsWith("-")));
  }
  if (VERSION_WORDS.includes(words[0] ?? "")) {
    console.log(`quorumlog ${versionOf()}`);
    return EXIT.done;
  }
  const { command, settings, operand } = callOf(words);
  const signal = lifeSignal();
  let exitCode: number = EXIT.done;
  try {
    exitCode = (await command.run({ settings, operand, signal })) ?? EXIT.done;
  } catch (error) {
    // What was given up on request has not failed; what was lost by it is not known here.
    if (!signal.aborted || (error as { code?: unknown }).code !== "ABORTED") throw error;
    console.error("quorumlog: interrupted");
  }
  if (!signal.aborted) return exitCode;
  // A server is meant to run until somebody stops it.
  return command.isServer?.(settings) === true ? exitCode : exitCodeOf(endSignalOf(signal));
}

/** Of a command, of all that begin with a word, or of all. */
function tellHelp(words: readonly string[]): number {
  const command = COMMANDS.find(({ name }) => isCalled(name, words));
  const [first] = words;
  const ofFirst = COMMANDS.filter(
    ({ name }) => first === undefined || name.split(" ")[0] === first,
  );
  if (command !== undefined) console.log(commandHelp(command));
  else if (ofFirst.length > 0) console.log(overview(ofFirst));
  else throw new UsageError([unknownCommand(words)]);
  return EXIT.done;
}

function versionOf(): string {
  const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { readonly version: string }).version;
}

/** @throws UsageError with all that does not fit */
function callOf(words: readonly string[]): Call {
  const command = COMMANDS.find(({ name }) => isCalled(name, words));
  if (command === undefined) throw new UsageError([unknownCommand(words)]);
  const sources = {
    args: words.slice(command.name.split(" ").length),
    environment: process.env,
    allNames: COMMANDS.flatMap((each) => Object.keys(each.settings)),
  };
  const { settings, operands, problems, warnings, unreadNames } = readSettings(
    command.settings,
    sources,
  );
  for (const warning of warnings) console.error(`quorumlog: ${warning}`);
  const all = [...problems, ...operandProblems(command, operands)];
  const flags = unreadNames.map((name) => `--${flagName(name)}`);
  // How what could not be read fits to the rest is not known.
  const relations = command.relations?.(settings) ?? [];
  all.push(...relations.filter((problem) => !flags.some((flag) => problem.includes(flag))));
  if (all.length > 0) throw new UsageError([...all, `see: quorumlog help ${command.name}`]);
  return { command, settings, operand: operands[0] ?? "" };
}

function isCalled(name: string, words: readonly string[]): boolean {
  return name.split(" ").every((word, i) => words[i] === word);
}

function unknownCommand(words: readonly string[]): string {
  const names = COMMANDS.map(({ name }) => name);
  const [first = ""] = words;
  const given = words.slice(0, 2).join(" ");
  const meant = nearestName(given, names) ?? nearestName(first, names);
  if (meant !== undefined) return `there is no command "${given}": did you mean ${meant}?`;
  const firsts = [...new Set(names.map((name) => name.split(" ")[0] ?? name))];
  const topic = firsts.includes(first) ? first : nearestName(first, firsts);
  const ofFirst = names.filter((name) => name.startsWith(`${topic} `));
  if (topic !== first && topic !== undefined)
    return `there is no command "${first}": did you mean ${ofFirst.join(", ")}?`;
  if (ofFirst.length > 0) return `which one: ${ofFirst.join(", ")}?`;
  return `there is no command "${first}": "quorumlog help" tells which there are`;
}

function operandProblems({ operand }: Command, operands: readonly string[]): string[] {
  const [first, ...more] = operands;
  if (operand === undefined) return operands.map((each) => `what is "${each}" for?`);
  if (first === undefined) return [`${operand.name} is missing`];
  const problems = more.map((each) => `one ${operand.name} at a time: what is "${each}" for?`);
  if (operand.oneOf !== undefined && !operand.oneOf.includes(first))
    problems.push(`${operand.name}: "${first}" is none of ${operand.oneOf.join(", ")}`);
  return problems;
}

endWithReader();
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const failure = failureOf(error);
  tellFailure(process.argv.includes("--json"), failure);
  process.exitCode = failure.exitCode;
}
