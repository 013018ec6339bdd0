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

interface Of {
  readonly epoch?: number;
  readonly producerId?: number;
  /** After {@link START}, in milliseconds. */
  readonly born?: number;
  readonly isRepeated?: boolean;
}

const START = 1_700_000_000_000;

function opened(countMax = 10): {
  readonly store: (sequence: number, of?: Of) => string;
  readonly reload: () => void;
} {
  const tables = new MemoryTables(["producerHorizon", "producers", "queues"]);
  const queues = new Queues(tables);
  const sequences = new ProducerSequences(tables, queues, countMax);
  let stamp = 0;
  return {
    store: (sequence, { epoch = 0, producerId = 7, born = 0, isRepeated = false } = {}) => {
      const bornTimestamp = START + born;
      const batch = { producerId, producerEpoch: epoch, sequence, bornTimestamp, isRepeated };
      const verdict = sequences.judge(queues.queue(KEY), batch);
      stamp += 1;
      const at = { baseOffset: stamp, storeTimestamp: START + stamp, stamp };
      if (verdict.kind === "next") sequences.note(queues.queue(KEY), batch, at);
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

test("batch 1 of a forgotten producer is no new producer's when it comes again", () => {
  const { store, reload } = opened(2);
  for (const producerId of [1, 2, 3]) store(1, { producerId, born: 10 * producerId });
  reload();

  // The one that is forgotten was born at 10.
  expect(store(1, { producerId: 1, born: 10, isRepeated: true })).toBe("unknownProducer");
  expect(store(1, { producerId: 4, born: 9, isRepeated: true })).toBe("unknownProducer");
  // Its first attempt was lost: nobody was forgotten who was born so late.
  expect(store(1, { producerId: 5, born: 11, isRepeated: true })).toBe("next");
  // A first attempt, of a producer whose clock is late.
  expect(store(1, { producerId: 6, born: -1_000_000 })).toBe("next");
});

test("an epoch that is forgotten is not a new one for what is known of the one before", () => {
  const { store } = opened(2);
  store(1, { producerId: 1, epoch: 1, born: 10 });
  for (const producerId of [2, 3]) store(1, { producerId, born: 5 });
  // Of its former process something is still on its way.
  expect(store(1, { producerId: 1, epoch: 0, born: 5 })).toBe("next");

  expect(store(1, { producerId: 1, epoch: 1, born: 10, isRepeated: true })).toBe("unknownProducer");
  // A first attempt is none of those, and nor is what was born after everything that is forgotten.
  expect(store(1, { producerId: 1, epoch: 2, born: 10 })).toBe("next");
  expect(store(1, { producerId: 1, epoch: 3, born: 11, isRepeated: true })).toBe("next");
});

test("a clock that is far ahead does not make batches of others refused for as long", () => {
  const { store } = opened(2);
  const day = 86_400_000;
  store(1, { producerId: 1, born: 1_000 * day });
  for (const producerId of [2, 3]) store(1, { producerId });

  expect(store(1, { producerId: 4, born: day / 2, isRepeated: true })).toBe("unknownProducer");
  expect(store(1, { producerId: 5, born: 2 * day, isRepeated: true })).toBe("next");
});

test("numbers go round past 0: behind 2^32 - 1 comes 1", () => {
  const tables = new MemoryTables(["producerHorizon", "producers", "queues"]);
  tables.table("producers", numbersCodec).set("1/0/7", [0, LAST - 1, 1, START, 10, 1, 11, 2]);
  const queues = new Queues(tables);
  const sequences = new ProducerSequences(tables, queues, 10);
  sequences.load();
  const queue = queues.queue(KEY);
  const batch = (sequence: number) => ({
    producerId: 7,
    producerEpoch: 0,
    sequence,
    bornTimestamp: START,
    isRepeated: false,
  });
  const judge = (sequence: number) => sequences.judge(queue, batch(sequence));

  expect(judge(1).kind).toBe("gap");
  expect(judge(LAST).kind).toBe("next");
  sequences.note(queue, batch(LAST), { baseOffset: 12, storeTimestamp: 3, stamp: 2 });
  expect(judge(1).kind).toBe("next");
  sequences.note(queue, batch(1), { baseOffset: 13, storeTimestamp: 4, stamp: 3 });

  expect(judge(LAST)).toEqual({ kind: "duplicate", baseOffset: 12, storeTimestamp: 3 });
  expect(judge(LAST - 2)).toEqual({ kind: "duplicate", baseOffset: 10, storeTimestamp: 1 });
  expect(judge(2).kind).toBe("next");
  expect(judge(3).kind).toBe("gap");
});
