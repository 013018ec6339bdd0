/** Log entries and their data, written short. */

import {
  type ConfigurationChange,
  encodeConfigurationChange,
  type Entry,
  type LogPosition,
} from "../../src/index.ts";

export function bytes(content: string): Uint8Array {
  return new TextEncoder().encode(content);
}

function text(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

export function entry(term: number, index: number, data = ""): Entry {
  return { term, index, kind: "normal", data: bytes(data) };
}

export function configurationEntry(
  term: number,
  index: number,
  change: ConfigurationChange,
): Entry {
  return { term, index, kind: "configuration", data: encodeConfigurationChange(change) };
}

/** A log, written as the terms of its entries: `log([1, 1, 2])` ends at index 3 of term 2. */
export function log(terms: readonly number[], firstIndex = 1): Entry[] {
  return terms.map((term, i) => entry(term, firstIndex + i));
}

/** Term and index of each entry, as `term/index`. */
export function positions(entries: readonly LogPosition[]): string[] {
  return entries.map(({ term, index }) => `${term}/${index}`);
}

/** The data of the entries that carry any. */
export function commands(entries: readonly Entry[]): string[] {
  return entries
    .filter(({ kind, data }) => kind === "normal" && data.byteLength > 0)
    .map(({ data }) => text(data));
}
