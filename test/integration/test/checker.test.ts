// Goal: the checker finds what it is there to find; one that is always content is of no use.

import { expect, test } from "vitest";
import { checkLog } from "../src/checker.ts";
import { decodeClientRecord, encodeClientRecord } from "../src/client-record.ts";
import { Journal } from "../src/journal.ts";
import type { RecordAudit } from "../src/record-audit.ts";

/** What a replica holds whose records are `[client, sequence]`, from an offset on. */
function audit(records: readonly (readonly [number, number])[], firstOffset = 0): RecordAudit {
  return {
    firstOffset,
    nextOffset: firstOffset + records.length,
    hash: JSON.stringify(records),
    clients: Uint32Array.from(records, ([client]) => client),
    sequences: Uint32Array.from(records, ([, sequence]) => sequence),
  };
}

/** Client 1 has appended four records, at offsets 0, 1, 2 and nowhere. */
function journal(): Journal {
  const made = new Journal();
  for (const offset of [0, 1, 2]) made.acknowledge(made.invoke(1), offset);
  made.fail(made.invoke(1), "not-applied");
  return made;
}

const THREE = [
  [1, 1],
  [1, 2],
  [1, 3],
] as const;

function problems(
  replicas: readonly RecordAudit[],
  made: Journal = journal(),
  trimmedBefore = 0,
): string {
  const audits = replicas.map((replica, i) => ({ nodeId: i + 1, audit: replica }));
  return checkLog({ journal: made, replicas: audits, trimmedBefore }).problems.join("\n");
}

test("replicas that hold what was acknowledged are in order", () => {
  expect(problems([audit(THREE), audit(THREE)])).toBe("");
  expect(problems([audit(THREE.slice(1), 1)], journal(), 1)).toBe("");
});

test.each([
  ["a replica that differs", [audit(THREE), audit(THREE.slice(0, 2))], /replicas: node 2/u],
  ["a lost record", [audit(THREE.slice(0, 2))], /lost: record 1\/3: acknowledged at 2/u],
  ["a record elsewhere", [audit([...THREE.slice(0, 1), [1, 3], [1, 2]])], /lost: record 1\/2/u],
  ["a record twice", [audit([...THREE, [1, 3]])], /twice: record 1\/3 is at 2 and 3/u],
  ["strange bytes", [audit([...THREE, [0, 0]])], /bytes: node 1 .* at offset 3/u],
  ["one that was refused", [audit([...THREE, [1, 4]])], /not-applied: record 1\/4/u],
  ["a trim that nobody asked for", [audit(THREE.slice(2), 2)], /trim: offset 0/u],
  ["no replica", [], /replicas/u],
])("%s is found", (_name, replicas, message) => {
  expect(problems(replicas)).toMatch(message);
});

test("an append that was over before another one began has the lower offset", () => {
  const made = new Journal();
  const first = made.invoke(1);
  first.endedAt = first.invokedAt + 1;
  made.acknowledge(first, 1);
  first.endedAt = first.invokedAt + 1;
  const second = made.invoke(2);
  Object.assign(second, { invokedAt: first.endedAt + 1 });
  made.acknowledge(second, 0);

  const found = problems(
    [
      audit([
        [2, 1],
        [1, 1],
      ]),
    ],
    made,
  );

  expect(found).toMatch(/order: record 2\/1 is at 0, and 1 was before/u);
});

test("an append that was never answered is found", () => {
  const made = journal();
  made.invoke(2);

  expect(problems([audit(THREE)], made)).toMatch(/pending: record 2\/1/u);
});

test("a record says who wrote it, and notices each flipped bit", () => {
  const record = encodeClientRecord({ client: 7, sequence: 9 }, 300);

  expect(decodeClientRecord(record)).toEqual({ client: 7, sequence: 9 });
  for (let bit = 0; bit < record.length * 8; bit++) {
    const damaged = Buffer.from(record);
    damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    expect(decodeClientRecord(damaged)).toBeUndefined();
  }
});
