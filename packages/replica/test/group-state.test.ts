// Goal: apply gives each record its offset, each retry its first answer, and every replica the same
// state; a snapshot of it is the state.
import { SlabPool } from "@quorumlog/std";
import { describe, expect, test } from "vitest";
import {
  COMMAND_KIND,
  type CommandDraft,
  commandBytes,
  encodeContainer,
} from "../src/container.ts";
import { type CommandResult, GroupState } from "../src/group-state.ts";
import type { Machine } from "../src/machine.ts";
import { SESSION_WINDOW } from "../src/sessions.ts";

const MEMORY = new SlabPool();

interface Place {
  readonly sessionId?: number;
  readonly sequence?: number;
  readonly offset?: number;
}

function draft(kind: number, place: Place = {}, texts: readonly string[] = []): CommandDraft {
  const list = texts.map((text) => Buffer.from(text));
  const { sessionId = 0, sequence = 0, offset = -1 } = place;
  return { kind, sessionId, sequence, offset, records: list, bytes: commandBytes(list) };
}

function records(texts: readonly string[], place: Place = {}): CommandDraft {
  return draft(COMMAND_KIND.records, place, texts);
}

const OPEN = draft(COMMAND_KIND.openSession, { sequence: 1_000 });
const MARKER = draft(COMMAND_KIND.snapshotMarker);

/** A state with the next index at hand. */
class Applied {
  readonly state: GroupState;
  index = 1;

  constructor(machine?: Machine) {
    this.state = new GroupState(machine);
  }

  apply(drafts: readonly CommandDraft[], timestamp = 1): CommandResult[] {
    const results: CommandResult[] = [];
    this.index += 1;
    this.state.apply(this.index, encodeContainer(drafts, timestamp, MEMORY), results);
    return results;
  }

  get image(): string {
    return Buffer.concat([...this.state.image()]).toString("hex");
  }
}

/** Answers each record with how many came before it. */
class Counter implements Machine {
  count = 0;

  apply({ records: batch }: { readonly records: readonly Uint8Array[] }): Uint8Array[] {
    return batch.map(() => Buffer.from(String(this.count++)));
  }

  snapshot(): Uint8Array[] {
    return [Buffer.from(String(this.count))];
  }

  restore(chunks: Iterable<Uint8Array>): void {
    this.count = Number(Buffer.concat([...chunks]).toString());
  }
}

function appended(offset: number, count: number, isDuplicate = false): CommandResult {
  return { status: "appended", offset, count, isDuplicate, values: [] };
}

/** A bit of everything. */
function busy(log: Applied): void {
  log.apply([OPEN, records(["a", "b"])], 1_000);
  log.apply([records(["c"], { sessionId: 1, sequence: 1 }), records(["no"], { offset: 0 })]);
  log.apply([draft(COMMAND_KIND.address, { sequence: 4 }, ["nöde-4:9876"])]);
  log.apply([MARKER]);
  log.apply([records(["d".repeat(3_000)])], 2_000);
  log.apply([MARKER]);
  log.apply([draft(COMMAND_KIND.trim, { offset: 3 })]);
  log.apply([OPEN]);
}

describe("offsets", () => {
  test("are dense, over commands and entries", () => {
    const log = new Applied();

    const first = log.apply([records(["a", "b"]), records(["c"])]);
    const second = log.apply([records(["d"])]);

    expect([...first, ...second]).toEqual([appended(0, 2), appended(2, 1), appended(3, 1)]);
  });

  test("an append that expects another offset changes nothing", () => {
    const log = new Applied();
    log.apply([records(["a", "b"])]);

    const results = log.apply([
      records(["no"], { offset: 1 }),
      records(["yes"], { offset: 2 }),
      records(["no"], { offset: 2 }),
    ]);

    expect(results).toEqual([
      { status: "mismatch", nextOffset: 2 },
      appended(2, 1),
      { status: "mismatch", nextOffset: 3 },
    ]);
    expect(log.state.nextOffset).toBe(3);
  });

  test("an entry that is no container is passed over", () => {
    const log = new Applied();

    const isMarker = log.state.apply(2, Buffer.from("nonsense"), undefined);

    expect({ isMarker, nextOffset: log.state.nextOffset }).toEqual({
      isMarker: false,
      nextOffset: 0,
    });
  });

  test("each result stands where its command stood", () => {
    const log = new Applied();

    const results = log.apply([MARKER, records(["a"]), OPEN, MARKER, records(["b"])]);

    expect(results.map(({ status }) => status)).toEqual([
      "done",
      "appended",
      "opened",
      "done",
      "appended",
    ]);
  });
});

describe("a session", () => {
  test("stores a retried append once, and answers it as the first time", () => {
    const log = new Applied();
    log.apply([OPEN]);
    const [first] = log.apply([records(["a", "b"], { sessionId: 1, sequence: 1 })]);
    log.apply([records(["c"])]);

    const [again] = log.apply([records(["a", "b"], { sessionId: 1, sequence: 1 })]);

    expect([first, again]).toEqual([appended(0, 2), appended(0, 2, true)]);
    expect(log.state.nextOffset).toBe(3);
  });

  test("answers a retried mismatch as the first time, though it would fit now", () => {
    const log = new Applied();
    log.apply([OPEN]);
    const place = { sessionId: 1, sequence: 1, offset: 1 };
    log.apply([records(["a"], place)]);
    log.apply([records(["b"])]);

    const [again] = log.apply([records(["a"], place)]);

    expect(again).toEqual({ status: "mismatch", nextOffset: 0 });
  });

  test("remembers so many answers, and refuses what is missing, forgotten, or of nobody", () => {
    const log = new Applied();
    log.apply([OPEN]);
    for (let sequence = 1; sequence <= SESSION_WINDOW + 1; sequence++)
      log.apply([records(["x"], { sessionId: 1, sequence })]);

    const statuses = [1, 2, SESSION_WINDOW + 1, SESSION_WINDOW + 3].map(
      (sequence) => log.apply([records(["x"], { sessionId: 1, sequence })])[0]?.status,
    );
    const [stranger] = log.apply([records(["x"], { sessionId: 99, sequence: 1 })]);

    expect([...statuses, stranger?.status]).toEqual([
      "too-old",
      "appended",
      "appended",
      "gap",
      "expired",
    ]);
  });

  test("ends when it was quiet for too long by the log's time, at a marker", () => {
    const log = new Applied();
    log.apply([OPEN], 1_000);
    log.apply([MARKER], 2_000);
    const [inTime] = log.apply([records(["x"], { sessionId: 1, sequence: 1 })], 2_500);
    log.apply([MARKER], 3_501);

    const [late] = log.apply([records(["x"], { sessionId: 1, sequence: 2 })], 3_501);

    expect([inTime?.status, late?.status]).toEqual(["appended", "expired"]);
  });

  test("the log's time does not go back", () => {
    const log = new Applied();
    log.apply([records(["x"])], 5_000);
    log.apply([records(["x"])], 1_000);

    expect(log.state.time).toBe(5_000);
  });
});

describe("trimming", () => {
  test("moves the first offset at once, and the log's start to a marker before it", () => {
    const log = new Applied();
    log.apply([records(["a", "b"])]);
    log.apply([MARKER]);
    log.apply([records(["c", "d", "e"])]);
    log.apply([MARKER]);

    log.apply([draft(COMMAND_KIND.trim, { offset: 3 })]);

    const { firstOffset, startIndex, markers } = log.state;
    expect({ firstOffset, startIndex, markers: markers.map(({ index }) => index) }).toEqual({
      firstOffset: 3,
      startIndex: 3,
      markers: [3, 5],
    });
  });

  test("never goes beyond the end, nor back", () => {
    const log = new Applied();
    log.apply([records(["a", "b"])]);

    log.apply([draft(COMMAND_KIND.trim, { offset: 99 })]);
    log.apply([draft(COMMAND_KIND.trim, { offset: 1 })]);

    expect(log.state.firstOffset).toBe(2);
  });
});

describe("a snapshot", () => {
  test("is the state: what follows is the same on it", () => {
    const origin = new Applied(new Counter());
    busy(origin);
    const copy = new Applied(new Counter());

    copy.state.restore([...origin.state.image()], 9);
    copy.index = origin.index;

    const more = [
      records(["c"], { sessionId: 1, sequence: 1 }),
      records(["e"], { sessionId: 1, sequence: 2 }),
      OPEN,
      MARKER,
    ];
    expect(copy.image).toBe(origin.image);
    expect(copy.apply(more, 3_000)).toEqual(origin.apply(more, 3_000));
    expect(copy.image).toBe(origin.image);
    expect([...copy.state.addresses]).toEqual([[4, "nöde-4:9876"]]);
  });

  test("is of the moment it was asked for, however late it is pulled", () => {
    const log = new Applied(new Counter());
    busy(log);
    const before = log.image;

    const image = log.state.image();
    log.apply([records(["later"])]);

    expect(Buffer.concat([...image]).toString("hex")).toBe(before);
  });

  test("answers what a session may repeat", () => {
    const whole = new Applied();
    whole.apply([OPEN]);
    const sequences = Array.from({ length: SESSION_WINDOW }, (_, i) => i + 1);
    const calls = sequences.map((sequence) => records(["a"], { sessionId: 1, sequence }));
    whole.apply(calls);
    const restored = new Applied();
    restored.state.restore([...whole.state.image()], 9);

    expect(restored.apply(calls)).toEqual(sequences.map((_, i) => appended(i, 1, true)));
  });

  test("of nothing is the empty state", () => {
    const machine = new Counter();
    machine.count = 5;
    const log = new Applied(machine);

    log.state.restore([], 1);

    expect({ count: machine.count, next: log.state.nextOffset }).toEqual({ count: 0, next: 0 });
  });
});

describe("a state machine", () => {
  test("answers each record once; a retry gets the answer that was given", () => {
    const log = new Applied(new Counter());
    log.apply([OPEN]);
    const place = { sessionId: 1, sequence: 1 };

    const [first] = log.apply([records(["a", "b"], place)]);
    const [again] = log.apply([records(["a", "b"], place)]);

    const values = [Buffer.from("0"), Buffer.from("1")];
    expect(first).toMatchObject({ values });
    expect(again).toMatchObject({ isDuplicate: true, values });
  });
});
