// Goal: each batch of a producer is stored once, whatever comes again, and in whichever order.
// Method: the table of sequences by itself, asked as apply asks it.

import { MemoryTables } from "@quorumlog/tables";
import { expect, test } from "vitest";
import { ProducerSequences } from "../src/state/producer-sequences.ts";
import { queueKey } from "../src/state/queue-key.ts";
import { Queues } from "../src/state/queues.ts";
import { numbersCodec } from "../src/state/row-codec.ts";

const KEY = queueKey(1, 0);
const LAST = 2 ** 32 - 1;

function opened(countMax = 10): {
  readonly store: (sequence: number, of?: { epoch?: number; producerId?: number }) => string;
  readonly reload: () => void;
} {
  const tables = new MemoryTables(["producers", "queues"]);
  const queues = new Queues(tables);
  const sequences = new ProducerSequences(tables, queues, countMax);
  let stamp = 0;
  return {
    store: (sequence, { epoch = 0, producerId = 7 } = {}) => {
      const batch = { producerId, epoch, sequence };
      const verdict = sequences.judge(queues.queue(KEY), batch);
      stamp += 1;
      if (verdict.kind === "next")
        sequences.note(queues.queue(KEY), batch, { baseOffset: stamp, stamp });
      return verdict.kind === "duplicate" ? `at ${verdict.baseOffset}` : verdict.kind;
    },
    reload: () => {
      tables.restore([...tables.snapshot()]);
      queues.load();
      sequences.load();
    },
  };
}

test("the last five are known again, with their offsets; what is older is not", () => {
  const { store, reload } = opened();
  for (let sequence = 1; sequence <= 7; sequence++) expect(store(sequence)).toBe("next");
  reload();

  expect([7, 6, 5, 4, 3].map((sequence) => store(sequence))).toEqual([
    "at 7",
    "at 6",
    "at 5",
    "at 4",
    "at 3",
  ]);
  expect(store(2)).toBe("tooOld");
  expect(store(9)).toBe("gap");
  expect(store(8)).toBe("next");
});

test("an epoch fences the one before, and begins at 1", () => {
  const { store } = opened();
  store(1);

  expect(store(2, { epoch: 1 })).toBe("unknownProducer");
  expect(store(1, { epoch: 1 })).toBe("next");
  expect(store(2)).toBe("staleEpoch");
});

test("whoever was quiet for longest is forgotten, and gets no second copy", () => {
  const { store } = opened(2);
  for (const producerId of [1, 2, 3]) store(1, { producerId });

  expect(store(2, { producerId: 1 })).toBe("unknownProducer");
  expect(store(2, { producerId: 2 })).toBe("next");
  expect(store(2, { producerId: 3 })).toBe("next");
});

test("numbers go round past 0: behind 2^32 - 1 comes 1", () => {
  const tables = new MemoryTables(["producers", "queues"]);
  tables.table("producers", numbersCodec).set("1/0/7", [0, LAST - 1, 1, 10, 11]);
  const queues = new Queues(tables);
  const sequences = new ProducerSequences(tables, queues, 10);
  sequences.load();
  const queue = queues.queue(KEY);
  const judge = (sequence: number) => sequences.judge(queue, { producerId: 7, epoch: 0, sequence });

  expect(judge(1).kind).toBe("gap");
  expect(judge(LAST).kind).toBe("next");
  sequences.note(queue, { producerId: 7, epoch: 0, sequence: LAST }, { baseOffset: 12, stamp: 2 });
  expect(judge(1).kind).toBe("next");
  sequences.note(queue, { producerId: 7, epoch: 0, sequence: 1 }, { baseOffset: 13, stamp: 3 });

  expect(judge(LAST)).toEqual({ kind: "duplicate", baseOffset: 12 });
  expect(judge(LAST - 2)).toEqual({ kind: "duplicate", baseOffset: 10 });
  expect(judge(2).kind).toBe("next");
  expect(judge(3).kind).toBe("gap");
});
