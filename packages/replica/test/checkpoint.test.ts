// Goal: a state that is kept between snapshots makes a restart shorter, and changes nothing else.
// Method: a real log and real snapshots on a disk in memory, without consensus, and a checkpoint
// that is as far behind as a test says; random histories, with and without one.

import type { ApplyWork } from "@quorumlog/raft";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Checkpointer } from "../src/checkpointer.ts";
import { COMMAND_KIND } from "../src/container.ts";
import { EntryApplier } from "../src/entry-applier.ts";
import { sessionDraft } from "../src/command-drafts.ts";
import { voting } from "./kit/configurations.ts";
import { KeptGroup } from "./kit/kept-group.ts";
import { MemoryCheckpoint } from "./kit/memory-checkpoint.ts";
import { indexes, send } from "./kit/snapshots.ts";

/** The disk may be busy. */
const FULL_BYTES = 4 * 1024 * 1024;

function opened(): { checkpoint: MemoryCheckpoint; group: KeptGroup } {
  const checkpoint = new MemoryCheckpoint();
  return { checkpoint, group: new KeptGroup({ checkpoint }) };
}

function imageOf(group: KeptGroup): Buffer {
  return Buffer.concat([...group.keeper.state.image()]);
}

/** The state as it is now is on the disk. */
function keep(group: KeptGroup, checkpoint: MemoryCheckpoint): void {
  group.settle();
  group.keeper.checkpoint();
  while (checkpoint.pending.length > 0) checkpoint.settleOne();
}

type Step =
  | { readonly kind: "open" | "close" | "marker" | "crash" }
  /** `full`: so much has changed that the next entry is followed by a cut. */
  | { readonly kind: "cut" | "full" | "durable" }
  | { readonly kind: "trim"; readonly part: number }
  /** `ahead` of the sequence that comes next: 0 is new, -1 a repetition, 1 leaves a gap. */
  | { readonly kind: "record"; readonly sessionId: number; readonly ahead: number };

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom("cut", "full", "durable", "crash") }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("open", "close", "marker") }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("trim"), part: fc.nat(10) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("record"),
      sessionId: fc.nat(4),
      ahead: fc.constantFrom(0, 0, 0, -1, 1),
    }),
  },
) as fc.Arbitrary<Step>;

/** What a step puts into a group's log, if anything. */
function commit(group: KeptGroup, step: Step): void {
  const { nextOffset } = group.keeper.state;
  if (step.kind === "open") group.commit(sessionDraft(COMMAND_KIND.openSession, 0, 10_000));
  else if (step.kind === "close") group.commit(sessionDraft(COMMAND_KIND.closeSession, 2, 0));
  else if (step.kind === "marker") group.marker();
  else if (step.kind === "trim") group.trim(Math.floor((nextOffset * step.part) / 10));
  else if (step.kind === "record") {
    const { sessionId, ahead } = step;
    const sequence = Math.max(1, nextSequence(group, sessionId) + ahead);
    group.record(`record ${nextOffset}`, { sessionId, sequence });
  }
}

function nextSequence({ keeper }: KeptGroup, sessionId: number): number {
  for (let sequence = 1; sequence < 100; sequence++)
    if (keeper.state.sessions.look(sessionId, sequence).status === "new") return sequence;
  return 1;
}

test("whatever is kept, and whenever the process ends, the state is that of the log", () => {
  fc.assert(
    fc.property(fc.array(steps, { minLength: 10, maxLength: 80 }), (history) => {
      const { checkpoint, group } = opened();
      const reference = new KeptGroup({ machine: new MemoryCheckpoint() });
      const opening: Step = { kind: "open" };
      for (const step of [opening, opening, opening, ...history]) {
        commit(group, step);
        commit(reference, step);
        // What is applied is on the disk of this node.
        group.settle();
        reference.settle();
        if (step.kind === "cut") group.keeper.checkpoint();
        if (step.kind === "full") checkpoint.changedBytes = FULL_BYTES;
        if (step.kind === "durable") checkpoint.settleOne();
        if (step.kind === "crash") group.restart();
        expect(imageOf(group).equals(imageOf(reference))).toBe(true);
      }
    }),
    { numRuns: 200 },
  );
}, 60_000);

describe("a restart", () => {
  test("applies only what came after the state that was kept", () => {
    const { checkpoint, group } = opened();
    for (let i = 0; i < 10; i++) group.record(`${i}`);
    keep(group, checkpoint);
    group.record("last");
    group.settle();

    group.restart();

    expect(checkpoint.appliedCount).toBe(1);
    expect(checkpoint.records).toHaveLength(11);
  });

  test("applies nothing twice if what was cut is not on the disk", () => {
    const { checkpoint, group } = opened();
    group.record("first");
    keep(group, checkpoint);
    group.record("second");
    group.settle();
    group.keeper.checkpoint();

    group.restart();

    expect(checkpoint.records).toEqual(["first", "second"]);
  });

  test("remembers sessions", () => {
    const { checkpoint, group } = opened();
    group.commit(sessionDraft(COMMAND_KIND.openSession, 0, 10_000));
    group.record("once", { sessionId: 1, sequence: 1 });
    keep(group, checkpoint);

    group.restart();
    group.record("once", { sessionId: 1, sequence: 1 });

    expect(checkpoint.records).toEqual(["once"]);
    expect(group.keeper.state.sessions.look(1, 2)).toEqual({ status: "new" });
  });

  test("knows the members as of there", () => {
    const { checkpoint, group } = opened();
    group.record();
    const index = group.log.lastIndex() + 1;
    const entry = { index, term: 1, kind: "configuration" as const, data: new Uint8Array(0) };
    const hardState = { currentTerm: 1, votedFor: 1, commitIndex: index };
    group.log.append({ hardState, reset: undefined, entries: [entry] }, () => undefined);
    const members = voting(1, 2, 3);
    group.keeper.applyConfiguration(entry, members);
    keep(group, checkpoint);

    group.restart();

    expect([group.startedAt, group.keeper.configuration]).toEqual([index, members]);
  });

  test("takes the snapshot if the log begins behind the state that was kept", () => {
    const { checkpoint, group } = opened();
    group.record("first");
    keep(group, checkpoint);
    group.record("second");
    const index = group.marker();
    group.settle();
    group.trim(2);
    group.settle();
    expect(group.baseIndex).toBe(index);

    group.restart();

    expect(checkpoint.records).toEqual(["first", "second"]);
    expect(checkpoint.isWhole).toBe(true);
  });

  test("does not write a snapshot again that is there", () => {
    const { checkpoint, group } = opened();
    keep(group, checkpoint);
    const index = group.marker();
    group.settle();
    expect(indexes(group.snapshots)).toEqual([index]);

    group.restart();

    expect(group.keeper.appliedIndex).toBe(index);
    expect(group.disk.names().filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  test("is refused if the log has lost what was applied", () => {
    const { checkpoint, group } = opened();
    group.record("kept");
    group.settle();
    group.record("lost");
    // No node does that: what it applies is on its disk.
    group.keeper.checkpoint();
    checkpoint.settleOne();

    expect(() => {
      group.crash();
    }).toThrow(expect.objectContaining({ code: "DISK_LOST" }));
  });

  test("is refused if the log holds something else there", () => {
    const { checkpoint, group } = opened();
    group.record("kept");
    keep(group, checkpoint);
    const { kept } = checkpoint;
    if (kept === undefined) throw new Error("it was kept");
    checkpoint.kept = { ...kept, position: { ...kept.position, term: 9 } };

    expect(() => {
      group.restart();
    }).toThrow("holds another entry");
  });
});

describe("a snapshot of a leader", () => {
  test("is not kept before the log on the disk rests on it", () => {
    const ahead = new KeptGroup({ machine: new MemoryCheckpoint() });
    for (let i = 0; i < 60; i++) ahead.record(`${i}`);
    const index = ahead.marker();
    ahead.settle();
    const source = ahead.source(index);
    for (let stepCount = 0, isOver = false; !isOver; stepCount++) {
      const { checkpoint, group } = opened();
      group.record("former");
      keep(group, checkpoint);
      send(group.snapshots.receive(source.offer), source, () => undefined);
      group.settle();
      group.install(index);
      for (let step = 0; step < stepCount && !isOver; step++) {
        isOver = !group.disk.step();
        group.keeper.checkpoint();
        checkpoint.settleOne();
      }

      group.crash();

      expect(checkpoint.records).toHaveLength(group.startedAt >= index ? 60 : 1);
      if (isOver) expect(group.startedAt).toBe(index);
    }
  });
});

function work(index: number): ApplyWork {
  const done = { lastIndex: index, lastConfigurationIndex: 0, bytes: 0 };
  const entry = { term: 1, index, kind: "normal" as const, data: new Uint8Array(0) };
  return { entries: [entry], done: { ...done, term: 1, termCommandBytes: 0 } };
}

describe("work to be applied", () => {
  test("waits, in order, until the checkpoint has room, or a snapshot takes its place", () => {
    let room = 1;
    const applied: string[] = [];
    const applier = new EntryApplier({
      core: {
        applyConfigurationChange: () => expect.unreachable(),
        onApplyDone: ({ lastIndex }) => applied.push(`done ${lastIndex}`),
      },
      keeper: {
        hasRoom: () => room > 0,
        applyNormal: ({ index }) => {
          room -= 1;
          applied.push(`${index}`);
        },
        applyConfiguration: () => expect.unreachable(),
      },
      proposals: { isAwaited: () => false, onApplied: () => undefined },
      now: () => 0,
      onEvent: () => undefined,
    });
    applier.beginTurn();
    for (const index of [1, 2, 3, 4]) applier.add(work(index));
    expect(applied).toEqual(["1", "done 1"]);
    expect([applier.isBehind, applier.canGoOn]).toEqual([true, false]);

    room = 1;
    expect(applier.canGoOn).toBe(true);
    applier.beginTurn();
    expect(applied).toEqual(["1", "done 1", "2", "done 2"]);

    applier.finish();
    expect(applied.slice(4)).toEqual(["3", "done 3", "4", "done 4"]);
    expect(applier.isBehind).toBe(false);
  });

  test("has no room while 64 MiB wait for the disk", () => {
    const { checkpoint, group } = opened();
    const mib = 1024 * 1024;
    checkpoint.changedBytes = 64 * mib - 1;
    expect(group.keeper.hasRoom()).toBe(true);
    checkpoint.changedBytes += 1;
    expect(group.keeper.hasRoom()).toBe(false);
  });

  test("is cut as soon as two mebibytes have changed; four, if the disk is busy", () => {
    const { checkpoint, group } = opened();
    const cutsAfter = (bytes: number): number[] => {
      checkpoint.changedBytes = bytes;
      group.record();
      return checkpoint.pending.map(({ position }) => position.index);
    };
    const mib = 1024 * 1024;
    expect(cutsAfter(2 * mib - 1)).toEqual([]);

    const first = cutsAfter(2 * mib);

    expect(first).toEqual([group.keeper.appliedIndex]);
    expect(cutsAfter(4 * mib - 1)).toEqual(first);
    expect(cutsAfter(4 * mib)).toEqual([...first, group.keeper.appliedIndex]);
  });
});

describe("how often a state is kept that changes all the time", () => {
  test.each([
    { changed: "few rows", changedBytes: 100, everyMs: 1_000 },
    { changed: "some thousand rows", changedBytes: 512 * 1024, everyMs: 2_000 },
    { changed: "as many rows as it likes", changedBytes: 1.9 * 1024 * 1024, everyMs: 5_000 },
  ])("$changed: every $everyMs ms", ({ changedBytes, everyMs }) => {
    const checkpoint = new MemoryCheckpoint();
    const checkpointer = new Checkpointer(checkpoint, 0);
    const dueAt: number[] = [];
    for (let now = 0; now <= 20_000; now += 100) {
      checkpoint.changedBytes = changedBytes;
      if (checkpointer.isDue(now)) dueAt.push(now);
    }
    const count = 20_000 / everyMs;
    expect(dueAt).toEqual(Array.from({ length: count }, (_, i) => (i + 1) * everyMs));
  });
});
