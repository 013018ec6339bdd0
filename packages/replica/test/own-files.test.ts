// Goal: a node starts from no state that the files of its application do not go as far as, applies
// what they lack, each entry once, and nothing that they have.
// Method: a real log and real snapshots on a disk in memory, without consensus; a machine with
// files of its own throws at whatever does not follow from them.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FiledMachine } from "./kit/filed-machine.ts";
import { KeptGroup } from "./kit/kept-group.ts";
import { MemoryCheckpoint } from "./kit/memory-checkpoint.ts";
import { indexes, pathOf, send } from "./kit/snapshots.ts";

interface Filed {
  readonly group: KeptGroup;
  readonly machine: FiledMachine;
  readonly checkpoint: MemoryCheckpoint;
}

function opened(kind: "checkpoint" | "snapshots"): Filed {
  const checkpoint = new MemoryCheckpoint();
  const machine = new FiledMachine(checkpoint);
  const init = kind === "checkpoint" ? { machine, checkpoint } : { machine };
  return { group: new KeptGroup(init), machine, checkpoint };
}

/** Three snapshots, with a record before each, and one behind all; the log begins behind `from`. */
function kept(kind: "checkpoint" | "snapshots", from = 0): Filed & { markers: number[] } {
  const filed = opened(kind);
  const { group } = filed;
  const markers = ["a", "b", "c"].map((text) => {
    group.record(text);
    const index = group.marker();
    group.settle();
    return index;
  });
  group.record("d");
  if (from > 0) group.trim(from);
  group.settle();
  return { ...filed, markers };
}

/** The state as it is now is on the disk. */
function keep({ group, checkpoint }: Filed): void {
  group.settle();
  group.keeper.checkpoint();
  while (checkpoint.pending.length > 0) checkpoint.settleOne();
}

function restart({ group, machine }: Filed): void {
  machine.crash();
  group.restart();
}

function damage({ group }: Filed, index: number): void {
  group.disk.fileSystem.damage(pathOf(index), 4_096 + 20, Uint8Array.of(0xa5, 0x5a));
}

function offsetsAsked({ machine }: Filed): number[] {
  return machine.asked.map(({ offset }) => offset);
}

describe("files that go as far as everything", () => {
  test("leave nothing to apply but what came after the newest snapshot", () => {
    const filed = kept("snapshots");
    filed.machine.sync();

    restart(filed);

    expect(filed.machine.asked).toEqual([{ index: filed.markers[2], offset: 3 }]);
    expect(filed.machine.applied).toEqual([3]);
    expect(filed.machine.lines).toEqual(["a", "b", "c", "d"]);
  });

  test("leave nothing at all behind a checkpoint", () => {
    const filed = kept("checkpoint");
    filed.machine.sync();
    keep(filed);
    const index = filed.group.keeper.appliedIndex;

    restart(filed);

    expect(filed.machine.asked).toEqual([{ index, offset: 4 }]);
    expect(filed.machine.applied).toEqual([]);
    expect(filed.machine.lines).toEqual(["a", "b", "c", "d"]);
  });
});

describe("files that are behind", () => {
  test("have an older snapshot taken", () => {
    const filed = opened("snapshots");
    const { group, machine } = filed;
    for (const text of ["a", "b", "c"]) {
      group.record(text);
      group.marker();
      group.settle();
      if (text === "b") machine.sync();
    }

    restart(filed);

    expect(offsetsAsked(filed)).toEqual([3, 2]);
    expect(machine.applied).toEqual([2]);
    expect(machine.lines).toEqual(["a", "b", "c"]);
  });

  test("have a checkpoint passed over, which begins anew", () => {
    const filed = kept("checkpoint");
    const { checkpoint, machine, group } = filed;
    machine.sync();
    group.record("e");
    keep(filed);

    restart(filed);

    expect(offsetsAsked(filed)).toEqual([5, 3]);
    expect(machine.applied).toEqual([3, 4]);
    expect(checkpoint.isWhole).toBe(true);
    machine.sync();
    keep(filed);
    restart(filed);
    expect(machine.applied).toEqual([]);
    expect(checkpoint.records).toEqual(["a", "b", "c", "d", "e"]);
  });

  test.each(["snapshots", "checkpoint"] as const)(
    "or lost have each record of the log applied once: %s",
    (kind) => {
      const filed = kept(kind);
      filed.machine.sync();
      keep(filed);
      filed.machine.lose();

      restart(filed);

      expect(offsetsAsked(filed)).toEqual(kind === "checkpoint" ? [4, 3, 2, 1, 0] : [3, 2, 1, 0]);
      expect(filed.machine.applied).toEqual([0, 1, 2, 3]);
      expect(filed.machine.lines).toEqual(["a", "b", "c", "d"]);
      expect(filed.checkpoint.records).toEqual(["a", "b", "c", "d"]);
    },
  );

  test.each(["snapshots", "checkpoint"] as const)(
    "begin anew where a trimmed log does: %s",
    (kind) => {
      const filed = kept(kind, 2);
      expect(filed.group.baseIndex).toBe(filed.markers[1]);
      keep(filed);
      filed.machine.lose();

      restart(filed);

      expect(filed.machine.asked.at(-1)).toEqual({ index: filed.markers[1], offset: 2 });
      expect([filed.machine.begin, filed.machine.applied]).toEqual([2, [2, 3]]);
      expect(filed.machine.lines).toEqual(["c", "d"]);
      expect(filed.checkpoint.records).toEqual(["a", "b", "c", "d"]);
    },
  );

  test("are given what a leader's snapshot lacks, and no more", () => {
    const ahead = kept("snapshots");
    const source = ahead.group.source(ahead.markers[2] as number);
    const filed = opened("snapshots");
    const { group, machine } = filed;
    group.record("former");
    machine.sync();
    send(group.snapshots.receive(source.offer), source, () => undefined);
    group.settle();
    group.install(source.offer.index);
    group.settle();
    expect([machine.begin, machine.lines]).toEqual([3, []]);

    group.record("next");
    restart(filed);

    expect([machine.begin, machine.applied, machine.lines]).toEqual([3, [3], ["next"]]);
  });

  test("are rebuilt if the log never was reset to a leader's snapshot", () => {
    const ahead = kept("snapshots");
    const source = ahead.group.source(ahead.markers[2] as number);
    const filed = opened("snapshots");
    const { group, machine } = filed;
    group.record("former");
    group.marker();
    group.settle();
    machine.sync();
    send(group.snapshots.receive(source.offer), source, () => undefined);
    group.settle();
    group.install(source.offer.index);
    machine.crash();

    group.crash();

    expect([machine.begin, machine.applied, machine.lines]).toEqual([0, [0], ["former"]]);
  });
});

test("a node that has yet to apply what its log held is said to be catching up", () => {
  const filed = kept("snapshots");
  const { group } = filed;
  filed.machine.crash();
  group.crash("process", { isApplied: false });
  const states = [group.keeper.isCatchingUp];

  group.applyCommitted();
  states.push(group.keeper.isCatchingUp);
  group.record();

  expect([...states, group.keeper.isCatchingUp]).toEqual([true, false, false]);
});

describe("a snapshot that is damaged", () => {
  test("is passed over, and the one before it is asked of", () => {
    const filed = kept("snapshots");
    filed.machine.sync();
    damage(filed, filed.markers[2] as number);

    restart(filed);

    expect(filed.group.failed.map(([index]) => index)).toEqual([filed.markers[2]]);
    expect(filed.machine.applied).toEqual([2, 3]);
    expect(filed.machine.lines).toEqual(["a", "b", "c", "d"]);
  });

  test("where the log begins leaves nothing that files which are lost can begin from", () => {
    const filed = kept("snapshots", 2);
    filed.machine.lose();
    damage(filed, filed.markers[1] as number);

    expect(() => {
      restart(filed);
    }).toThrow(
      /the log begins behind index \d+, and the snapshot of the state there is not sound/u,
    );
  });
});

test("the snapshot where the log begins stays, however many there are behind it", () => {
  const filed = opened("snapshots");
  const { group, machine } = filed;
  const mark = (): number => {
    group.record("x");
    const index = group.marker();
    group.settle();
    return index;
  };
  const first = mark();
  group.trim(1);
  group.settle();

  for (let i = 0; i < 80; i++) mark();

  expect(group.baseIndex).toBe(first);
  expect(indexes(group.snapshots).length).toBeLessThan(40);
  machine.lose();
  restart(filed);
  expect(machine.applied).toEqual(Array.from({ length: 80 }, (_, i) => i + 1));
});

type Step = "record" | "marker" | "trim" | "cut" | "durable" | "sync" | "lose" | "crash";

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Step>("record") },
  { weight: 5, arbitrary: fc.constantFrom<Step>("marker", "cut", "durable", "sync", "crash") },
  { weight: 1, arbitrary: fc.constantFrom<Step>("trim", "lose") },
);

test("whatever is kept, whenever the process ends, files and state are those of the log", () => {
  fc.assert(
    fc.property(
      fc.array(steps, { minLength: 10, maxLength: 80 }),
      fc.constantFrom("checkpoint" as const, "snapshots" as const),
      (history, kind) => {
        const filed = opened(kind);
        const { group, machine, checkpoint } = filed;
        const texts: string[] = [];
        for (const step of history) {
          if (step === "record") {
            texts.push(`record ${texts.length}`);
            group.record(texts.at(-1));
          }
          if (step === "marker") group.marker();
          if (step === "trim") group.trim(Math.floor(texts.length / 2));
          group.settle();
          if (step === "cut") group.keeper.checkpoint();
          if (step === "durable") checkpoint.settleOne();
          if (step === "sync") machine.sync();
          if (step === "lose") machine.lose();
          if (step === "crash") restart(filed);
          expect(checkpoint.records).toEqual(texts);
          expect(machine.begin).toBeLessThanOrEqual(group.keeper.baseOffset);
          if (step !== "crash") continue;
          // All of it that came after the state that was started from, and nothing twice.
          const { offset } = machine.asked.at(-1) ?? { offset: 0 };
          const applied = Array.from({ length: texts.length - offset }, (_, i) => offset + i);
          expect(machine.applied).toEqual(applied);
          expect(machine.lines).toEqual(texts.slice(machine.begin));
        }
      },
    ),
    { numRuns: 200 },
  );
}, 60_000);
