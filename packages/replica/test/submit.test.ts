// Goal: whoever submits commands learns where they are and what became of them, as far as was
// waited for.
// Method: three real replicas in memory, with a machine that lists what it was given.

import { expect, expectTypeOf, test } from "vitest";
import type { CommandsAccepted, CommandsApplied } from "../src/index.ts";
import { failure } from "./kit/clusters.ts";
import { MachineCluster } from "./kit/machine-cluster.ts";

const COMMANDS = [Buffer.from("a"), Buffer.from("b")];

function textsOf(values: readonly Uint8Array[] | undefined): string[] | undefined {
  return values?.map((value) => Buffer.from(value).toString());
}

test("commands that were applied are told with their values and their place", async () => {
  const cluster = await MachineCluster.start({ retention: "keep" });
  const { group, listing } = await cluster.leader();
  await group.execute(Buffer.from("first"));

  const ack = await group.submitAll(COMMANDS);

  const { appliedIndex, term } = group.status();
  const { records } = group.read(ack.offset);
  expect(ack).toEqual({
    durability: "quorum",
    reached: "synced",
    values: [Buffer.from("2"), Buffer.from("3")],
    offset: 1,
    index: appliedIndex,
    term,
    timestamp: listing.timestamps[1],
    isDuplicate: false,
  });
  expect(records.map(({ data }) => Buffer.from(data).toString())).toEqual(["a", "b"]);
  expect(records.map(({ timestamp }) => timestamp)).toEqual([ack.timestamp, ack.timestamp]);
});

test("calls of one turn share an entry, and each has an offset of its own", async () => {
  const cluster = await MachineCluster.start();
  const { group } = await cluster.leader();

  const acks = await Promise.all([group.submitAll(COMMANDS), group.submitAll(COMMANDS)]);

  expect(acks.map(({ offset, values }) => [offset, textsOf(values)])).toEqual([
    [0, ["1", "2"]],
    [2, ["3", "4"]],
  ]);
  expect(new Set(acks.map(({ index }) => index)).size).toBe(1);
});

test("a repetition within a session gets the first answer and offset", async () => {
  const cluster = await MachineCluster.start();
  const { group } = await cluster.leader();
  const session = { ...(await group.openSession()), sequence: 1 };

  const first = await group.submitAll(COMMANDS, { session });
  await group.execute(Buffer.from("other"));
  const again = await group.submitAll(COMMANDS, { session });

  expect([first.isDuplicate, again.isDuplicate]).toEqual([false, true]);
  expect([again.offset, textsOf(again.values)]).toEqual([first.offset, textsOf(first.values)]);
  expect(again.index).toBeGreaterThan(first.index);
});

test.each([
  ["leader", "sync", "synced"],
  ["leader", "async", "written"],
  ["async", "sync", "memory"],
] as const)("%s, flushed %s, waits for no values: %s", async (durability, flush, reached) => {
  const cluster = await MachineCluster.start({ flush });
  const { group, listing } = await cluster.leader();

  const ack = await group.submitAll(COMMANDS, { durability });
  // It may yet be lost, and is not here.
  await expect.poll(() => listing.texts).toEqual(["a", "b"]);

  expect(ack).toEqual({
    durability,
    reached,
    values: undefined,
    offset: undefined,
    index: group.status().appliedIndex,
    term: group.status().term,
    timestamp: listing.timestamps[0],
    isDuplicate: false,
  });
});

test("what is applied here in flush mode async was written", async () => {
  const cluster = await MachineCluster.start({ flush: "async" });
  const { group } = await cluster.leader();

  expect(await group.submitAll(COMMANDS)).toMatchObject({ reached: "written", offset: 0 });
});

test("what is decided at apply is refused with less, before anything is done", async () => {
  const cluster = await MachineCluster.start();
  const { group, listing } = await cluster.leader();
  const session = { sessionId: 1, sequence: 1 };

  const errors = [
    await failure(group.submitAll(COMMANDS, { session, durability: "leader" })),
    await failure(group.submitAll(COMMANDS, { durability: "all" as never })),
    await failure(group.submitAll([])),
  ];

  for (const error of errors)
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", outcome: "not-applied" });
  expect(errors.map(({ message }) => message.split(":")[0])).toEqual([
    "durability",
    "durability",
    "commands",
  ]);
  expect(listing.texts).toEqual([]);
});

test("the type says whether there are values", async () => {
  const cluster = await MachineCluster.start();
  const { group } = await cluster.leader();

  const applied = await group.submitAll(COMMANDS);
  const either = await group.submitAll(COMMANDS, { durability: "async" });

  expectTypeOf(applied).toEqualTypeOf<CommandsApplied>();
  expectTypeOf(either).toEqualTypeOf<CommandsApplied | CommandsAccepted>();
  expect(either.durability === "quorum" ? either.values : undefined).toBeUndefined();
});
