// Goal: what a peer sends becomes a snapshot only if it is what it announced, byte by byte, and a
// transfer that breaks off goes on where it was.
// Method: the file of one store sent to another in pieces; then pieces that are wrong.

import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { SnapshotError } from "../src/snapshot-error.ts";
import type { SnapshotReceipt } from "../src/snapshot-store.ts";
import {
  indexes,
  pathOf,
  read,
  send,
  SnapshotMachine,
  type Source,
  sourceOf,
  stateAt,
} from "./kit/snapshots.ts";

type Answer = SnapshotError | "done" | undefined;

/** Appends, and gives the answer. */
function append(machine: SnapshotMachine, receipt: SnapshotReceipt, bytes: Uint8Array): Answer {
  let answer: Answer;
  receipt.append(bytes, (error) => {
    answer = error ?? "done";
  });
  expect(answer).toBeUndefined();
  machine.settle();
  return answer;
}

function finish(machine: SnapshotMachine, receipt: SnapshotReceipt): Answer {
  let answer: Answer;
  receipt.finish((error) => {
    answer = error ?? "done";
  });
  expect(answer).toBeUndefined();
  machine.settle();
  return answer;
}

function codeOf(answer: Answer): string | undefined {
  return answer === "done" ? answer : answer?.code;
}

/** With its header changed, and the checksum that it then has to have. */
function forged({ offer, bytes }: Source, change: (file: Buffer) => void): Source {
  const file = Buffer.from(bytes);
  change(file);
  file.writeUInt32LE(0, 12);
  file.writeUInt32LE(crc32(file.subarray(0, 4_096)), 12);
  return { offer, bytes: file };
}

describe("a snapshot that is received", () => {
  test.each([1, 7, 108, 4_096, 1e6])("in pieces of %d bytes is the one that was sent", (size) => {
    const machine = new SnapshotMachine();
    const store = machine.open();
    const source = sourceOf(9);
    const answers: unknown[] = [];

    send(store.receive(source.offer), source, (error) => answers.push(error), size);
    machine.settle();
    machine.crash("power");

    const again = machine.open();
    expect(answers).toEqual([undefined]);
    expect(machine.bytesOf(9).equals(source.bytes)).toBe(true);
    expect(indexes(again)).toEqual([9]);
    expect(read(again, 9)?.equals(stateAt(9))).toBe(true);
  });

  test("is listed when it is finished, not before", () => {
    const machine = new SnapshotMachine();
    const store = machine.open();
    const { offer, bytes } = sourceOf(9);
    const receipt = store.receive(offer);

    expect(codeOf(append(machine, receipt, bytes))).toBe("done");
    expect([indexes(store), receipt.offset]).toEqual([[], bytes.length]);
    expect(codeOf(finish(machine, receipt))).toBe("done");
    expect([indexes(store), receipt.isOver]).toEqual([[9], true]);
  });

  test("replaces one of its index that is damaged", () => {
    const machine = new SnapshotMachine();
    const source = sourceOf(9);
    machine.fileSystem.create(pathOf(9));
    const store = machine.open();
    expect(store.damaged()).toHaveLength(1);

    send(store.receive(source.offer), source, () => undefined);
    machine.settle();

    expect([indexes(store), store.damaged()]).toEqual([[9], []]);
  });
});

describe("a transfer that breaks off", () => {
  test("goes on in the same life where it was", () => {
    const machine = new SnapshotMachine();
    const store = machine.open();
    const { offer, bytes } = sourceOf(9);
    append(machine, store.receive(offer), bytes.subarray(0, 4_150));

    const again = store.receive({ ...offer });

    expect(again.offset).toBe(4_150);
    append(machine, again, bytes.subarray(4_150));
    expect(codeOf(finish(machine, again))).toBe("done");
  });

  test("goes on in the next life behind the last chunk that is sound", () => {
    const machine = new SnapshotMachine();
    const { offer, bytes } = sourceOf(9);
    append(machine, machine.open().receive(offer), bytes.subarray(0, 4_096 + 108 + 50));
    machine.crash("process");

    const receipt = machine.open().receive(offer);

    expect(receipt.offset).toBe(4_096 + 108);
    append(machine, receipt, bytes.subarray(receipt.offset));
    expect(codeOf(finish(machine, receipt))).toBe("done");
  });

  test("goes on before what was damaged meanwhile", () => {
    const machine = new SnapshotMachine();
    const { offer, bytes } = sourceOf(9);
    append(machine, machine.open().receive(offer), bytes);
    machine.crash("process");
    machine.fileSystem.damage(`/group/snapshots/${machine.names()[0]}`, 4_210, Uint8Array.of(1, 2));

    const receipt = machine.open().receive(offer);

    expect(receipt.offset).toBe(4_096 + 108);
    append(machine, receipt, bytes.subarray(receipt.offset));
    expect(codeOf(finish(machine, receipt))).toBe("done");
  });

  test("by a disk that failed does not trust what its cache says", () => {
    const machine = new SnapshotMachine();
    const store = machine.open();
    const source = sourceOf(9);
    machine.fileSystem.fault = ({ operation }) =>
      operation === "sync" ? new Error("EIO") : undefined;
    send(store.receive(source.offer), source, () => undefined);
    machine.settle();
    expect(machine.failures).toHaveLength(1);
    machine.fileSystem.fault = undefined;
    machine.crash("process");

    const again = machine.open();
    const receipt = again.receive(source.offer);
    expect(receipt.offset).toBe(source.bytes.length);
    send(receipt, source, () => undefined);
    machine.settle();
    machine.crash("power");

    const last = machine.open();
    expect([indexes(last), last.damaged()]).toEqual([[9], []]);
    expect(read(last, 9)?.equals(stateAt(9))).toBe(true);
  });

  test.each(["abort", "another snapshot", "another length"])("by %s leaves nothing", (how) => {
    const machine = new SnapshotMachine();
    const store = machine.open();
    const { offer, bytes } = sourceOf(9);
    const receipt = store.receive(offer);
    append(machine, receipt, bytes.subarray(0, 5_000));

    if (how === "abort") receipt.abort();
    else if (how === "another snapshot") store.receive({ ...offer, index: 10 });
    else store.receive({ ...offer, bytes: offer.bytes + 1 });

    expect(receipt.isOver).toBe(true);
    expect(machine.names()).toHaveLength(how === "abort" ? 0 : 1);
    expect(() => {
      receipt.append(bytes, () => undefined);
    }).toThrow(/over/u);
    expect(store.receive(offer).offset).toBe(0);
  });

  test("and was overtaken by the same snapshot is forgotten at the next start", () => {
    const machine = new SnapshotMachine();
    const store = machine.open();
    const { offer, bytes } = sourceOf(9);
    append(machine, store.receive(offer), bytes.subarray(0, 5_000));
    const configuration = { ...SOURCE_CONFIGURATION };
    store.write({ index: 9, term: 1, configuration }, [stateAt(9)], () => undefined);
    machine.settle();
    store.close();

    machine.open();

    expect(machine.names()).toEqual([pathOf(9).split("/").at(-1)]);
  });
});

const SOURCE_CONFIGURATION = {
  voters: [{ id: 1, incarnation: 0 }],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

describe("bytes that are not what was announced", () => {
  const source = sourceOf(9);

  test.each<[string, string, Source]>([
    ["of another cluster", "SNAPSHOT_FOREIGN", forged(source, (file) => file.write("TEST", 106))],
    ["of another group", "SNAPSHOT_FOREIGN", forged(source, (file) => file.writeUInt8(4, 16))],
    ["of another index", "SNAPSHOT_CORRUPT", forged(source, (file) => file.writeUInt8(8, 24))],
    ["of another term", "SNAPSHOT_CORRUPT", forged(source, (file) => file.writeUInt8(2, 32))],
    ["of a later version", "SNAPSHOT_VERSION", forged(source, (file) => file.writeUInt8(2, 8))],
    ["without members", "SNAPSHOT_CORRUPT", forged(source, (file) => file.writeUInt8(9, 48))],
    [
      "with chunks of 0 bytes",
      "SNAPSHOT_CORRUPT",
      forged(source, (file) => file.writeUInt8(0, 20)),
    ],
    ["with vast chunks", "SNAPSHOT_CORRUPT", forged(source, (file) => file.writeUInt8(2, 23))],
    ["of no snapshot", "SNAPSHOT_CORRUPT", { ...source, bytes: Buffer.alloc(5_000, 1) }],
  ])("%s are refused with the header", (_what, code, { offer, bytes }) => {
    const machine = new SnapshotMachine();
    const receipt = machine.open().receive(offer);

    expect(codeOf(append(machine, receipt, bytes))).toBe(code);

    expect(receipt.offset).toBe(0);
    append(machine, receipt, source.bytes);
    expect(codeOf(finish(machine, receipt))).toBe("done");
  });

  test("in a chunk are refused, and asked for again from its start", () => {
    const machine = new SnapshotMachine();
    const store = machine.open();
    const receipt = store.receive(source.offer);
    const wrong = Buffer.from(source.bytes);
    wrong.writeUInt8(wrong.readUInt8(4_250) ^ 1, 4_250);
    append(machine, receipt, wrong.subarray(0, 4_230));

    expect(codeOf(append(machine, receipt, wrong.subarray(4_230)))).toBe("SNAPSHOT_CORRUPT");

    expect(receipt.offset).toBe(4_096 + 108);
    append(machine, receipt, source.bytes.subarray(4_096 + 108));
    expect(codeOf(finish(machine, receipt))).toBe("done");
    expect(read(store, 9)?.equals(stateAt(9))).toBe(true);
  });

  test("keep the sound chunks that came before them in one piece", () => {
    const machine = new SnapshotMachine();
    const receipt = machine.open().receive(source.offer);
    const wrong = Buffer.from(source.bytes);
    wrong.writeUInt8(wrong.readUInt8(4_250) ^ 1, 4_250);
    append(machine, receipt, wrong);
    machine.crash("process");

    const again = machine.open();
    const resumed = again.receive(source.offer);

    expect(resumed.offset).toBe(4_096 + 108);
  });

  test("but a sound file with a chunk of another state start over", () => {
    const machine = new SnapshotMachine();
    const store = machine.open();
    const receipt = store.receive(source.offer);
    const other = sourceOf(9).bytes;
    const payload = other.subarray(4_104, 4_204).fill(1);
    other.writeUInt32LE(crc32(payload), 4_100);

    expect(codeOf(append(machine, receipt, other))).toBe("SNAPSHOT_CORRUPT");

    expect(receipt.offset).toBe(0);
    append(machine, receipt, source.bytes);
    expect(codeOf(finish(machine, receipt))).toBe("done");
    expect(read(store, 9)?.equals(stateAt(9))).toBe(true);
  });

  test("beyond the announced length are refused", () => {
    const machine = new SnapshotMachine();
    const receipt = machine.open().receive(source.offer);

    const answer = append(machine, receipt, Buffer.concat([source.bytes, Buffer.alloc(1)]));

    expect(codeOf(answer)).toBe("SNAPSHOT_CORRUPT");
    expect(receipt.offset).toBe(source.bytes.length);
    expect(codeOf(finish(machine, receipt))).toBe("done");
  });

  test.each([0, 1, 4_095, 4_096, 4_127, 4_128, 4_137, source.bytes.length - 1, 2 ** 50])(
    "of a file that is said to have %d bytes never become a snapshot",
    (bytes) => {
      const machine = new SnapshotMachine();
      const store = machine.open();
      const receipt = store.receive({ ...source.offer, bytes });

      append(machine, receipt, source.bytes);
      expect(codeOf(finish(machine, receipt))).toBe("SNAPSHOT_CORRUPT");
      machine.crash("process");

      const again = machine.open();
      expect([indexes(again), again.damaged()]).toEqual([[], []]);
    },
  );

  test("that are too few are not finished", () => {
    const machine = new SnapshotMachine();
    const receipt = machine.open().receive(source.offer);
    append(machine, receipt, source.bytes.subarray(0, -1));

    expect(codeOf(finish(machine, receipt))).toBe("SNAPSHOT_CORRUPT");

    append(machine, receipt, source.bytes.subarray(-1));
    expect(codeOf(finish(machine, receipt))).toBe("done");
  });
});
