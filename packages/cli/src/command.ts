/** What the command line offers: each command is one of these. */

import type { SettingsOf, SettingSpecs } from "./setting-spec.ts";
import type { Settings } from "./settings.ts";

export interface CommandRun<Values> {
  readonly settings: Values;
  /** Of a command that takes one. */
  readonly operand: string;
  /** Aborted by the first interrupt; a second one ends the process. */
  readonly signal: AbortSignal;
}

/** What follows the command, without a flag. */
export interface Operand {
  /** As in the help: `TOPIC`. */
  readonly name: string;
  /** These and no other. */
  readonly oneOf?: readonly string[];
}

export interface CommandSpec<Values> {
  /** One or two words, as they are typed. */
  readonly name: string;
  readonly operand?: Operand;
  readonly about: string;
  /** More for the help, by lines. */
  readonly notes?: readonly string[];
  readonly examples?: readonly string[];
  readonly settings: SettingSpecs;
  /** Of settings that are right by themselves. @returns what does not fit together */
  readonly relations?: (settings: Partial<Values>) => readonly string[];
  /**
   * Runs until it is stopped, which is how it ends well. Of any other command a signal that ends it
   * is its exit code.
   */
  readonly isServer?: (settings: Values) => boolean;
  /** @returns the exit code; 0 if it says nothing. */
  readonly run: (run: CommandRun<Values>) => Promise<number | void>;
}

export type Command = CommandSpec<Settings>;

/** A command whose settings have the types that their specifications say. */
export function command<const Specs extends SettingSpecs>(
  settings: Specs,
  spec: Omit<CommandSpec<SettingsOf<Specs>>, "settings">,
): Command {
  // What is read is what was specified: `readSettings` has seen to it.
  return { ...spec, settings } as unknown as Command;
}
