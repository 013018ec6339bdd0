/**
 * Gives entries to nodes that have lost them: only what is known to be committed here, as of that
 * there is one for each index, whoever is asked.
 */

import { type LogEntry, LogError } from "@quorumlog/log";
import { sometimes } from "@quorumlog/std";
import { crc32 } from "node:zlib";
import type { EntriesReply, EntriesRequest, EntriesVerdict } from "./entry-transfer.ts";

/** A log, damaged or not, as far as others may see it. */
export interface EntrySource {
  /** What precedes the first entry. */
  base(): { readonly index: number };
  commitIndex(): number;
  /** The term at an index, from the base on; `undefined` where it is not known. */
  term(index: number): number | undefined;
  /** Whether a committed entry that is here is surely the one; it is, unless damage hides that. */
  isFinal?(index: number): boolean;
  /**
   * @returns `undefined` if the first one is not there.
   * @throws LogError `LOG_CORRUPT` if it is damaged
   */
  entries(range: {
    readonly low: number;
    readonly high: number;
    readonly bytesMax: number;
  }): readonly LogEntry[] | undefined;
}

/** Of an answer: one more, and the node that asks would wait longer for the first. */
const REPLY_BYTES_MAX = 1024 * 1024;

export class EntryServer {
  readonly #source: EntrySource;

  constructor(source: EntrySource) {
    this.#source = source;
  }

  answer({ number, low, high }: EntriesRequest): EntriesReply {
    const source = this.#source;
    const refused = (verdict: EntriesVerdict): EntriesReply => {
      return { number, low, verdict, previousTerm: 0, entries: [] };
    };
    if (low <= source.base().index) return refused("trimmed");
    const commitIndex = source.commitIndex();
    if (low > commitIndex || high <= low) return refused("later");
    const previousTerm = source.term(low - 1);
    const entries = this.#read(low, Math.min(high, commitIndex + 1));
    if (previousTerm === undefined || entries === undefined || entries.length === 0)
      return refused("damaged");
    sometimes("lost entries given to a peer");
    const isFinal = (index: number): boolean => source.isFinal?.(index) ?? true;
    const isSure = isFinal(low) && isFinal(low - 1);
    const given = isSure ? entries.filter(({ index }) => isFinal(index)) : entries;
    const verdict = isSure ? "entries" : "unsure";
    return { number, low, verdict, previousTerm, entries: given.map(summed) };
  }

  #read(low: number, high: number): readonly LogEntry[] | undefined {
    try {
      return this.#source.entries({ low, high, bytesMax: REPLY_BYTES_MAX });
    } catch (error) {
      if (error instanceof LogError && error.code === "LOG_CORRUPT") return undefined;
      throw error;
    }
  }
}

/** The checksum goes with the data from here on; of most it is known. */
function summed(entry: LogEntry): LogEntry {
  return entry.checksum === undefined ? { ...entry, checksum: crc32(entry.data) } : entry;
}
