/** Damage to sealed segments, and peers that have what was there. */

import { crc32 } from "node:zlib";
import type { Prng } from "@quorumlog/std";
import { expect } from "vitest";
import type { LogEntry } from "../../src/index.ts";
import { DamagedLog } from "../../src/repair/damaged-log.ts";
import {
  type FetchEntries,
  PrecededOtherwise,
  type WantedEntries,
} from "../../src/repair/segment-refill.ts";
import { DIRECTORY, type Machine } from "./disk.ts";

export interface Repair {
  readonly error: Error | undefined;
  readonly fetched: readonly WantedEntries[];
  readonly files: readonly string[];
}

/** A peer that has these entries, and gives so many at a time. */
export function peerWith(
  machine: Machine,
  entries: readonly LogEntry[],
  countMax = 50,
): { readonly fetch: FetchEntries; readonly fetched: WantedEntries[] } {
  const fetched: WantedEntries[] = [];
  const byIndex = new Map(entries.map((entry) => [entry.index, entry]));
  const fetch: FetchEntries = (wanted, done) => {
    fetched.push(wanted);
    machine.later(() => {
      const before = byIndex.get(wanted.previous?.index ?? 0);
      if (before !== undefined && before.term !== wanted.previous?.term) {
        done(new PrecededOtherwise("another one is committed there"));
        return;
      }
      const answer = answerTo(wanted, byIndex, countMax);
      const problem = wanted.problemWith(answer);
      done(problem === undefined ? answer : new Error(problem));
    });
  };
  return { fetch, fetched };
}

function answerTo(
  { low, high }: WantedEntries,
  byIndex: ReadonlyMap<number, LogEntry>,
  countMax: number,
): LogEntry[] {
  const answer: LogEntry[] = [];
  for (let index = low; index < high && answer.length < countMax; index++) {
    const entry = byIndex.get(index);
    if (entry === undefined) break;
    answer.push({ ...entry, checksum: crc32(entry.data) });
  }
  return answer;
}

/** Repairs what is damaged, as far as that goes; the log can be opened then. */
export function repair(machine: Machine, entries: readonly LogEntry[]): Repair {
  const { fetch, fetched } = peerWith(machine, entries);
  const damaged = DamagedLog.find(machine.fileSystem, DIRECTORY);
  if (damaged === undefined) return { error: undefined, fetched, files: [] };
  const files: string[] = [];
  const ends: (Error | undefined)[] = [];
  damaged.repair({
    fetch,
    onRepaired: ({ file }) => files.push(file),
    onDone: (error) => ends.push(error),
  });
  machine.settle();
  damaged.close();
  expect(ends).toHaveLength(1);
  return { error: ends[0], fetched, files };
}

/** What becomes of a file. */
export const DAMAGES = [
  "flip",
  "many",
  "cut",
  "lose",
  "header",
  "first",
  "footer",
  "both",
] as const;
export type Damage = (typeof DAMAGES)[number];

export function damageFile(machine: Machine, path: string, prng: Prng, kind: Damage): void {
  const { fileSystem } = machine;
  const { length } = fileSystem.bytesOf(path);
  const flip = (at: number): void => {
    const before = fileSystem.bytesOf(path)[at] as number;
    fileSystem.damage(path, at, Uint8Array.of(before ^ (1 << prng.below(8))));
  };
  switch (kind) {
    case "flip":
      flip(prng.below(length));
      return;
    case "many":
      for (let i = 0; i < 40; i++) flip(prng.below(length));
      return;
    case "cut":
      fileSystem.truncate(path, prng.below(length));
      return;
    case "lose":
      fileSystem.lose(path);
      return;
    case "header":
      flip(prng.below(4_096));
      return;
    case "first":
      flip(4_096 + prng.below(80));
      return;
    case "footer":
      flip(length - 1 - prng.below(32));
      flip(4_096 + prng.below(length - 8_192));
      return;
    case "both":
      flip(length - 1 - prng.below(32));
      flip(4_096 + prng.below(80));
      return;
  }
}
