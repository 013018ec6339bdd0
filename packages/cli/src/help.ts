/** What is told of the commands. */

import type { Command } from "./command.ts";
import { flagName, type SettingSpec } from "./settings.ts";

export function overview(commands: readonly Command[]): string {
  const titles = commands.map((command) => titleOf(command));
  const width = Math.max(...titles.map((title) => title.length));
  const lines = commands.map(({ about }, i) => `  ${(titles[i] ?? "").padEnd(width)}  ${about}`);
  return [
    "quorumlog: a replicated log, and a message broker on it",
    "",
    ...lines,
    "",
    "quorumlog COMMAND --help tells of a command's settings.",
  ].join("\n");
}

export function commandHelp(command: Command): string {
  const settings = Object.entries(command.settings);
  const flags = settings.map(([name, spec]) => `--${flagName(name)}${valueOf(spec)}`);
  const width = Math.max(0, ...flags.map((flag) => flag.length));
  const lines = settings.map(([, { about, fallback }], i) => {
    const otherwise = fallback === undefined || fallback === false ? "" : ` (${String(fallback)})`;
    return `  ${(flags[i] ?? "").padEnd(width)}  ${about}${otherwise}`;
  });
  return [`quorumlog ${titleOf(command)}`, "", command.about, "", ...lines].join("\n");
}

function titleOf({ name, operands }: Command): string {
  return operands === undefined ? name : `${name} ${operands}`;
}

function valueOf({ type, oneOf }: SettingSpec): string {
  if (type === "flag") return "";
  if (oneOf !== undefined) return ` ${oneOf.join("|")}`;
  return type === "integer" ? " N" : type === "list" ? " A,B,..." : " TEXT";
}
