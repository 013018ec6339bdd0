/** What is told of the commands: all of it from their table. */

import type { Command } from "./command.ts";
import { environmentName, flagName, type SettingSpec } from "./setting-spec.ts";
import { CONFIG } from "./settings.ts";

export function overview(commands: readonly Command[]): string {
  const titles = commands.map((command) => titleOf(command));
  const width = Math.max(...titles.map((title) => title.length));
  const lines = commands.map(({ about }, i) => `  ${(titles[i] ?? "").padEnd(width)}  ${about}`);
  return [
    "quorumlog: a replicated log, and a message broker on it",
    "",
    ...lines,
    "",
    "quorumlog help COMMAND tells of a command's settings. Exit codes: 0 done, 1 failed, 2 usage.",
  ].join("\n");
}

export function commandHelp(command: Command): string {
  const { about, notes = [], examples = [] } = command;
  const settings = Object.entries({ ...command.settings, config: CONFIG });
  const flags = settings.map(([name, spec]) => `--${flagName(name)}${valueOf(spec)}`);
  const width = Math.max(...flags.map((flag) => flag.length));
  const lines = settings.map(
    ([, spec], i) => `  ${(flags[i] ?? "").padEnd(width)}  ${spec.about}${boundsOf(spec)}`,
  );
  const sample = settings.find(([, spec]) => spec.isOnLineAlone !== true)?.[0] ?? "config";
  return [
    `quorumlog ${titleOf(command)}`,
    "",
    about,
    ...notes,
    "",
    ...lines,
    "",
    `Each may be in the environment (${environmentName(sample)}) or in the file (${sample}), too.`,
    ...(examples.length === 0 ? [] : ["", ...examples.map((example) => `  $ ${example}`)]),
  ].join("\n");
}

function titleOf({ name, operand }: Command): string {
  return operand === undefined ? name : `${name} ${operand.name}`;
}

function valueOf({ type, oneOf }: SettingSpec): string {
  if (type === "flag") return "";
  if (oneOf !== undefined) return ` ${oneOf.join("|")}`;
  return { integer: " N", list: " A,B,...", path: " FILE", text: " TEXT" }[type];
}

function boundsOf(spec: SettingSpec): string {
  const { type, min, max, fallback, alias, isRequired = false } = spec;
  const also = alias === undefined ? "" : `also --${alias}`;
  const range = type === "integer" && max !== undefined ? `${min ?? 0} to ${max}` : "";
  const otherwise =
    fallback === undefined || fallback === false || String(fallback) === ""
      ? ""
      : `default ${String(fallback)}`;
  const needs = isRequired ? "required" : "";
  const told = [needs, range, otherwise, also].filter((part) => part !== "").join("; ");
  return told === "" ? "" : ` (${told})`;
}
