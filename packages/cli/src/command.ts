/** What the command line offers: each command is one of these. */

import type { Settings, SettingSpecs } from "./settings.ts";

export interface CommandRun {
  readonly settings: Settings;
  readonly operands: readonly string[];
  /** Aborted by the first interrupt; a second one ends the process. */
  readonly signal: AbortSignal;
}

export interface Command {
  /** One or two words, as they are typed. */
  readonly name: string;
  /** What may follow, for the help. */
  readonly operands?: string;
  readonly about: string;
  readonly settings: SettingSpecs;
  /** @returns the exit code; 0 if it says nothing. */
  readonly run: (run: CommandRun) => Promise<number | void>;
}

/** Of commands that speak to a cluster. */
export const CLUSTER_SETTINGS: SettingSpecs = {
  nameServers: {
    type: "list",
    about: "host:port of each NameServer, with commas between",
    fallback: ["127.0.0.1:9876"],
  },
  json: { type: "flag", about: "for programs: JSON, a value a line", fallback: false },
};

/** @returns a text of the settings. */
export function text(settings: Settings, name: string): string {
  return String(settings[name]);
}

export function integer(settings: Settings, name: string): number {
  return Number(settings[name]);
}

export function list(settings: Settings, name: string): readonly string[] {
  return settings[name] as readonly string[];
}
