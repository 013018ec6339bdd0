// Goal: a log whose sealed segments are damaged becomes what it was, or stays as it is; never
// anything else. Method: logs with known contents, random ones, too; each kind of damage; a peer
// that has the entries; a crash at each operation of the repair. Design: FAST '18
// (protocol-aware recovery).

import { Prng } from "@quorumlog/std";
import { describe, expect, test } from "vitest";
import { type LogEntry, LogError } from "../src/index.ts";
import { verifyLog } from "../src/inspection/verification.ts";
import { recoverLog } from "../src/recovery.ts";
import { DamagedLog } from "../src/repair/damaged-log.ts";
import {
  batch,
  contents,
  DIRECTORY,
  entries,
  fillReplaced,
  hardState,
  type Machine,
  made,
} from "./kit/disk.ts";
import { Driver, type Model, same, seen } from "./kit/history.ts";
import { damageFile, DAMAGES, peerWith, repair } from "./kit/repairs.ts";

/** Several segments, closed in order; the term rises on the way. */
function closed(seed = 1): { readonly machine: Machine; readonly written: LogEntry[] } {
  const machine = made(seed);
  const store = machine.open();
  const written = [...entries(1, 200, 3, 400), ...entries(201, 350, 4, 400)];
  for (let i = 0; i < written.length; i += 5) {
    const added = written.slice(i, i + 5);
    const term = added[0]?.term ?? 0;
    store.append(batch({ hardState: hardState(term, i, 2), entries: added }), () => {});
    machine.settle();
  }
  store.close(() => {});
  machine.settle();
  return { machine, written };
}

function path(id: number): string {
  return `${DIRECTORY}/000000000000000${id}.log`;
}

function demandWhole(machine: Machine, written: readonly LogEntry[], inTerm = 4): void {
  const store = machine.open();
  const found = contents(store);
  expect(found.length).toBe(written.length);
  for (const [i, { index, term, data }] of written.entries()) {
    expect(found[i]).toMatchObject({ index, term });
    expect(Buffer.compare(found[i]?.data ?? Buffer.alloc(0), data)).toBe(0);
  }
  expect(store.hardState()).toMatchObject({ currentTerm: inTerm, votedFor: 2 });
  store.close(() => {});
  machine.settle();
}

function refusal(machine: Machine): LogError {
  try {
    DamagedLog.find(machine.fileSystem, DIRECTORY);
  } catch (error) {
    if (error instanceof LogError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

describe("a segment before the last", () => {
  test.each([1, 2, 3])("segment %d that is gone is made anew, from peers", (id) => {
    const { machine, written } = closed();
    machine.fileSystem.lose(path(id));

    const { error, files } = repair(machine, written);

    expect([error, files]).toEqual([undefined, [path(id)]]);
    demandWhole(machine, written);
  });

  test("whose header is damaged is made anew from what it holds", () => {
    const { machine, written } = closed();
    damageFile(machine, path(2), new Prng(1), "header");

    const { error, files, fetched } = repair(machine, []);

    expect([error, files, fetched]).toEqual([undefined, [path(2)], []]);
    demandWhole(machine, written);
  });

  test("that lacks one entry, too, gets that one alone", () => {
    const { machine, written } = closed();
    damageFile(machine, path(2), new Prng(1), "header");
    machine.fileSystem.damage(path(2), 30_000, new Uint8Array(16).fill(0xff));

    const { error, fetched } = repair(machine, written);

    expect(error).toBe(undefined);
    expect(fetched).toHaveLength(1);
    expect((fetched[0]?.high ?? 0) - (fetched[0]?.low ?? 0)).toBeLessThanOrEqual(2);
    demandWhole(machine, written);
  });

  test("several at once, side by side and apart", () => {
    const { machine, written } = closed();
    machine.fileSystem.lose(path(1));
    machine.fileSystem.lose(path(2));
    machine.fileSystem.truncate(path(3), 10_000);

    // The second one that is gone before the first file there is cannot be told.
    machine.fileSystem.create(path(1));
    const { error, files } = repair(machine, written);

    expect([error, files]).toEqual([undefined, [path(1), path(2), path(3)]]);
    demandWhole(machine, written);
  });

  test("that two begin before the first one left says that it cannot be told", () => {
    const { machine, written } = closed();
    machine.fileSystem.lose(path(1));
    machine.fileSystem.lose(path(2));

    const { error } = repair(machine, written);

    expect(error).toBeInstanceOf(LogError);
    expect(error?.message).toContain("more segments are gone");
    // Nothing was guessed.
    expect(() => machine.open()).toThrow(LogError);
  });

  test("all of whose entries were replaced later does not take those before it along", () => {
    const machine = made();
    const store = machine.open();
    const written = fillReplaced(machine, store);
    store.close(() => {});
    machine.settle();
    damageFile(machine, path(2), new Prng(1), "header");

    const { error, files } = repair(machine, []);

    expect([error, files]).toEqual([undefined, [path(2)]]);
    demandWhole(machine, written);
  });

  test.each([119, 118])("that is gone had replaced what seems to be whole, up to %d", (last) => {
    const machine = made();
    const store = machine.open();
    const kept = entries(1, 117, 3, 400);
    const replacing = entries(118, 2, 4, 30_000);
    const newer = entries(last + 1, 20, 4 + (119 - last), 400);
    for (const each of [...kept, ...entries(118, 13, 3, 400), ...replacing, ...newer]) {
      const state = hardState(each.term, 0, 2);
      store.append(batch({ hardState: state, entries: [each] }), () => {});
      machine.settle();
    }
    store.append(batch({ hardState: hardState(5, 0, 2) }), () => {});
    store.close(() => {});
    machine.settle();
    machine.fileSystem.lose(path(2));
    const written = [...kept, ...replacing.filter(({ index }) => index <= last), ...newer];

    const { error, files } = repair(machine, written);

    expect([error, files]).toEqual([undefined, [path(2)]]);
    demandWhole(machine, written, 5);
  });

  test("damage to nothing that is needed at the start is no damage yet", () => {
    const { machine } = closed();
    machine.fileSystem.damage(path(2), 30_000, new Uint8Array(16).fill(0xff));

    expect(DamagedLog.find(machine.fileSystem, DIRECTORY)).toBe(undefined);
    // It let go of the directory.
    machine.open();
  });
});

test("verify lists every damage, and every file that is gone", () => {
  const { machine } = closed();
  const { fileSystem } = machine;
  for (const at of [20_000, 40_000]) fileSystem.damage(path(1), at, new Uint8Array(8).fill(0xee));
  fileSystem.lose(path(2));
  damageFile(machine, path(3), new Prng(1), "first");

  const { findings, verdict } = verifyLog({
    fileSystem,
    directory: DIRECTORY,
    onProgress: () => {},
  });

  expect(verdict).toBe("corrupt");
  const damages = findings.filter(({ message }) => !message.includes("footer"));
  expect(damages.map(({ file }) => file)).toEqual([path(1), path(1), path(2), path(3)]);
});

describe("what a peer sends", () => {
  const wrong: readonly [string, (entry: LogEntry) => LogEntry][] = [
    ["of another term", (entry) => ({ ...entry, term: 9 })],
    ["of an older term", (entry) => ({ ...entry, term: entry.index === 180 ? 2 : entry.term })],
  ];

  test.each(wrong)("%s is refused, and nothing is replaced", (_what, change) => {
    const { machine, written } = closed();
    machine.fileSystem.lose(path(2));

    const { error } = repair(machine, written.map(change));

    expect(error).toBeInstanceOf(Error);
    expect(machine.files()).not.toContain(path(2));
  });

  test("is of the very term that the footer names", () => {
    const { machine, written } = closed();
    damageFile(machine, path(2), new Prng(1), "header");
    machine.fileSystem.damage(path(2), 20_000, new Uint8Array(16).fill(0xff));

    // Of a term that fits in between what comes before and behind it.
    const { error, fetched } = repair(
      machine,
      written.map((entry) => ({ ...entry, term: 4 })),
    );

    expect(written[(fetched[0]?.low ?? 0) - 1]?.term).toBe(3);
    expect(error?.cause).toMatchObject({
      message: expect.stringContaining("and was of 3") as string,
    });
  });

  test("is compared with its checksum", () => {
    const { machine, written } = closed();
    damageFile(machine, path(2), new Prng(1), "both");
    const before = Uint8Array.from(machine.fileSystem.bytesOf(path(2)));
    const damaged = DamagedLog.find(machine.fileSystem, DIRECTORY);
    const honest = peerWith(machine, written);
    let error: Error | undefined;
    const problems: (string | undefined)[] = [];
    damaged?.repair({
      fetch: (wanted, done) => {
        honest.fetch(wanted, (answer) => {
          if (answer instanceof Error) return;
          const [first] = answer;
          const data = Uint8Array.from(first?.data ?? []);
          data[0] = 255 - (data[0] ?? 0);
          problems.push(wanted.problemWith([{ ...(first as LogEntry), data }]));
          problems.push(wanted.problemWith(answer.slice(1)));
          problems.push(wanted.problemWith([]));
          done(new Error("nobody has them"));
        });
      },
      onRepaired: () => {},
      onDone: (failure) => {
        error = failure;
      },
    });
    machine.settle();
    damaged?.close();

    expect(problems[0]).toContain("is damaged");
    expect(problems[1]).toContain("out of order");
    expect(problems[2]).toContain("none");
    expect(error?.message).toContain("cannot be made anew");
    expect(Buffer.compare(before, machine.fileSystem.bytesOf(path(2)))).toBe(0);
  });
});

describe("what cannot be repaired", () => {
  test("the end of what was synced", () => {
    const { machine } = closed();
    const last = machine.files().findLast((name) => name.endsWith(".log") && begun(machine, name));
    const bytes = machine.fileSystem.bytesOf(last as string);
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
    machine.fileSystem.damage(last as string, end - 300, Uint8Array.of(0xff, 0xff, 0xff, 0xff));
    const error = refusal(machine);
    expect([error.code, error.file]).toEqual(["LOG_CORRUPT", last]);
    expect(error.message).toContain("replace the node");
  });

  test("the last segments are gone", () => {
    const { machine } = closed();
    for (const name of machine.files().slice(-2)) machine.fileSystem.lose(name);
    const error = refusal(machine);
    expect(error.code).toBe("LOG_SEGMENT_MISSING");
    expect(error.message).toContain("replace the node");
  });
});

function begun(machine: Machine, name: string): boolean {
  return machine.fileSystem.bytesOf(name)[4_096] !== 0;
}

describe("a crash at any operation of a repair", () => {
  const crashes = ["process", "power"] as const;
  test.each(crashes)(
    "leaves the damaged file or the whole one: %s",
    (kind) => {
      let isOver = false;
      for (let at = 0; !isOver; at++) {
        const { machine, written } = closed(at + 1);
        const { fileSystem } = machine;
        const whole = Buffer.from(fileSystem.bytesOf(path(2)));
        fileSystem.damage(path(2), 20_000, new Uint8Array(20_000).fill(0xaa));
        fileSystem.damage(path(2), 4_096, new Uint8Array(64));
        const damaged = Buffer.from(fileSystem.bytesOf(path(2)));
        const stopAt = fileSystem.operationCount + at;
        fileSystem.fault = ({ number }) =>
          number >= stopAt ? new Error("the power is gone") : undefined;
        try {
          isOver = repair(machine, written).error === undefined;
        } catch {
          // It died as it looked.
        }
        fileSystem.fault = undefined;
        machine.crash(kind);

        const found = Buffer.from(fileSystem.bytesOf(path(2)));
        if (!found.equals(damaged)) {
          // Nothing is under the name that is not whole, and on the disk.
          expect(found.length).toBe(whole.length);
          demandWhole(machine, written);
          continue;
        }
        expect(() => machine.open()).toThrow(LogError);
        expect(repair(machine, written).error).toBe(undefined);
        machine.crash("power");
        demandWhole(machine, written);
      }
      expect(isOver).toBe(true);
    },
    60_000,
  );
});

describe("a power loss behind a repair that began with the page cache of a former process", () => {
  const seeds = Array.from({ length: 20 }, (_, i) => i + 1);
  test.each(seeds)("leaves a log that opens (%d)", (seed) => {
    const { machine } = closed(seed);
    const store = machine.open();
    machine.holdSyncs();
    store.trim({ index: 180, term: 3, configuration: new Uint8Array(0) }, () => {});
    machine.settle();
    machine.crash("process");
    damageFile(machine, path(2), new Prng(seed), "header");
    expect(repair(machine, []).error).toBe(undefined);

    machine.crash("power");

    expect([1, 181]).toContain(machine.open().firstIndex());
  });
});

describe("random logs, with rewrites, trims and resets", () => {
  const seeds = Array.from({ length: 200 }, (_, i) => i + 1);
  test.each(seeds)("seed %d", (seed) => {
    const { machine, model } = lived(seed);
    const prng = new Prng(seed + 1_000);
    const { segments } = recoverLog(machine.fileSystem, DIRECTORY, "read");
    const sealed = segments.slice(0, -1).map(({ file }) => file.path);
    const victims = sealed.filter(() => prng.chance(0.5));
    if (victims.length === 0) return;
    for (const victim of victims) damageFile(machine, victim, prng, prng.pick(DAMAGES));

    let error: Error | undefined;
    try {
      demandFinal(machine, model);
      ({ error } = repair(machine, model.entries));
    } catch (refused) {
      error = refused as Error;
    }

    if (error !== undefined) {
      // What it could not be sure of, it left alone.
      expect(error).toBeInstanceOf(LogError);
      expect(error.message).toContain("replace the node");
      refusals.push(error.message);
      expect(() => machine.open()).toThrow(LogError);
      return;
    }
    let store = machine.open();
    // Of what is read later, more may be damaged.
    const lost = damagedIndexes(store);
    if (lost.length === 0) expect(same(model, seen(store))).toBe(true);
    store.close(() => {});
    machine.settle();
    repaired.push(seed);
    store = machine.open();
    expect(store.hardState()).toMatchObject({ currentTerm: model.term, votedFor: model.vote });
    expect(store.lastIndex()).toBe(model.base.index + model.entries.length);
  });

  const refusals: string[] = [];
  const repaired: number[] = [];

  test("most of them are repaired", () => {
    expect(repaired.length).toBeGreaterThan(80);
    expect(refusals.length).toBeLessThan(5);
  });
});

/** What a damaged log gives to others, and is sure of, is what was there. */
function demandFinal(machine: Machine, { entries: all }: Model): void {
  const damaged = DamagedLog.find(machine.fileSystem, DIRECTORY);
  if (damaged === undefined) return;
  for (const entry of all) {
    const { index, term } = entry;
    if (index > damaged.commitIndex() || !damaged.isFinal(index)) continue;
    const [found] = damaged.entries({ low: index, high: index + 1, bytesMax: 1 }) ?? [];
    if (found !== undefined) expect([found.index, found.term]).toEqual([index, term]);
  }
  damaged.close();
}

function damagedIndexes(store: ReturnType<Machine["open"]>): number[] {
  const lost: number[] = [];
  for (let index = store.firstIndex(); index <= store.lastIndex(); index++)
    try {
      store.entries({ low: index, high: index + 1, bytesMax: 1 });
    } catch (error) {
      expect(error).toBeInstanceOf(LogError);
      lost.push(index);
    }
  return lost;
}

/** A log with a random history, closed in order, and what it has to hold. */
function lived(seed: number): { readonly machine: Machine; readonly model: Model } {
  const prng = new Prng(seed);
  const machine = made(seed);
  const driver = new Driver(machine, prng);
  const count = 100 + prng.below(400);
  for (let i = 0; i < count; i++) {
    driver.act();
    for (let steps = prng.below(4); steps > 0; steps--) machine.step();
  }
  machine.settle();
  const model = driver.history.durable;
  driver.store.close(() => {});
  machine.settle();
  return { machine, model };
}
