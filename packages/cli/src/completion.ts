/** Completion for shells, made of the table of commands: it knows what `help` knows. */

import type { Command } from "./command.ts";
import { flagName, type SettingSpec } from "./setting-spec.ts";
import { CONFIG } from "./settings.ts";

export const SHELLS: readonly string[] = ["bash", "zsh", "fish"];

interface Flag {
  readonly name: string;
  readonly spec: SettingSpec;
}

/** @returns a script that the shell reads at its start. */
export function completionScript(shell: string, commands: readonly Command[]): string {
  if (shell === "fish") return fishScript(commands);
  return shell === "zsh" ? zshScript(commands) : bashScript(commands);
}

function flagsOf({ settings }: Command): Flag[] {
  return Object.entries({ ...settings, config: CONFIG }).map(([name, spec]) => {
    return { name: `--${flagName(name)}`, spec };
  });
}

/** What follows a word of the first place: nothing, if that is a whole command. */
function secondWords(commands: readonly Command[]): Map<string, string[]> {
  const seconds = new Map<string, string[]>();
  for (const { name } of commands) {
    const [first = "", second] = name.split(" ");
    const known = seconds.get(first) ?? [];
    seconds.set(first, second === undefined ? known : [...known, second]);
  }
  return seconds;
}

/** One `case` for each command, and one for each value that is of a few. */
function bashScript(commands: readonly Command[]): string {
  const seconds = secondWords(commands);
  const firsts = [...seconds.keys(), "help"].join(" ");
  const groups = [...seconds].filter(([, words]) => words.length > 0);
  const groupCases = groups.map(([first, words]) => `    ${first}) words="${words.join(" ")}" ;;`);
  const flagCases = commands.map((command) => {
    const flags = flagsOf(command).map(({ name }) => name);
    const values = command.operand?.oneOf ?? [];
    return `    "${command.name}") words="${[...values, ...flags].join(" ")}" ;;`;
  });
  return `# quorumlog: completion for bash. As in: source <(quorumlog completion bash)
_quorumlog() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
  local first="\${COMP_WORDS[1]}" words="" name
  COMPREPLY=()
  case "$previous" in
${valueCases(commands)}
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=( $(compgen -W "${firsts}" -- "$current") )
    return
  fi
  if [ "$COMP_CWORD" -eq 2 ]; then
    case "$first" in
    help) words="${[...seconds.keys()].join(" ")}" ;;
${groupCases.join("\n")}
    esac
    if [ -n "$words" ]; then COMPREPLY=( $(compgen -W "$words" -- "$current") ); return; fi
  fi
  name="$first"
  case "$first" in
    ${groups.map(([first]) => first).join("|")}) name="$first \${COMP_WORDS[2]}" ;;
  esac
  case "$name" in
${flagCases.join("\n")}
  esac
  COMPREPLY=( $(compgen -W "$words" -- "$current") )
}
complete -F _quorumlog quorumlog
`;
}

/** Of flags whose value is one of a few, or a file: by their name, whatever the command is. */
function valueCases(commands: readonly Command[]): string {
  const seen = new Map<string, string>();
  for (const { name, spec } of commands.flatMap(flagsOf)) {
    if (spec.oneOf !== undefined) {
      const known = seen.get(name)?.split(" ") ?? [];
      seen.set(name, [...new Set([...known, ...spec.oneOf])].join(" "));
    } else if (spec.type === "path") seen.set(name, "");
  }
  return [...seen]
    .map(([name, values]) => {
      const made = values === "" ? "-f" : `-W "${values}"`;
      return `    ${name}) COMPREPLY=( $(compgen ${made} -- "$current") ); return ;;`;
    })
    .join("\n");
}

/** Zsh takes completion for bash. */
function zshScript(commands: readonly Command[]): string {
  const script = bashScript(commands)
    .split("\n")
    .filter((line) => !line.startsWith("# quorumlog:"))
    .join("\n");
  return `# quorumlog: completion for zsh. As in: source <(quorumlog completion zsh)
autoload -U +X compinit && compinit -u
autoload -U +X bashcompinit && bashcompinit
${script}`;
}

function fishScript(commands: readonly Command[]): string {
  const seconds = secondWords(commands);
  const firsts = [...seconds.keys(), "help"];
  const lines = [
    "# quorumlog: completion for fish. As in: quorumlog completion fish | source",
    "complete -c quorumlog -f",
    `complete -c quorumlog -n "__fish_use_subcommand" -a "${firsts.join(" ")}"`,
  ];
  for (const [first, words] of seconds) {
    if (words.length === 0) continue;
    const isFirst = `__fish_seen_subcommand_from ${first}`;
    const isOpen = `not __fish_seen_subcommand_from ${words.join(" ")}`;
    lines.push(`complete -c quorumlog -n "${isFirst}; and ${isOpen}" -a "${words.join(" ")}"`);
  }
  for (const command of commands) {
    const seen = command.name
      .split(" ")
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join("; and ");
    const { oneOf } = command.operand ?? {};
    if (oneOf !== undefined)
      lines.push(`complete -c quorumlog -n "${seen}" -a "${oneOf.join(" ")}"`);
    for (const { name, spec } of flagsOf(command)) {
      const about = spec.about.replaceAll(/["$\\]/gu, "");
      lines.push(
        `complete -c quorumlog -n "${seen}" -l ${name.slice(2)}${fishValue(spec)} -d "${about}"`,
      );
    }
  }
  return `${lines.join("\n")}\n`;
}

function fishValue({ type, oneOf }: SettingSpec): string {
  if (type === "flag") return "";
  if (type === "path") return " -r -F";
  return oneOf === undefined ? " -x" : ` -x -a "${oneOf.join(" ")}"`;
}
