// Goal: a broker whose log is damaged says so to whoever reads that part, and goes on; with the
// help of its peers the part can be read again.
// Method: three nodes with small segments and little in memory; a bit of a sealed segment of the
// leader's changes on its disk.

import { closeSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { BROKER_SERVICE, RecordBatchBuilder } from "@quorumlog/protocol";
import { type FetchReply, Outcome } from "@quorumlog/protocol/messages";
import { expect, test } from "vitest";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { bodiesOf, createTopic, fetch, publish } from "./kit/calls.ts";

const KIB = 1024;
const COUNT = 240;
const BODY_BYTES = 10_000;
const KEY = "order 7";
const TUNING = {
  segmentBytes: 128 * KIB,
  tailBytesMax: 0,
  electionMs: 2_000,
  heartbeatMs: 200,
  scrubBytesPerSecond: 0,
};

interface Filled {
  readonly nodes: BrokerNodes;
  readonly leaderId: number;
  readonly place: { readonly topicId: number; readonly queue: number };
}

function batchOf(place: Filled["place"], number: number): Buffer {
  const builder = new RecordBatchBuilder();
  const body = Buffer.from(` ${number} `.padEnd(BODY_BYTES, "x"));
  builder.add({ body, bornTimestamp: 1, keys: [KEY] });
  return builder.build({ ...place, messageType: 1, producerId: 0, producerEpoch: 0, sequence: 0 });
}

async function filled(recoverFromPeers: boolean): Promise<Filled> {
  const nodes = await BrokerNodes.start(3, { tuning: TUNING, recoverFromPeers });
  const leaderId = await nodes.leaderId();
  const { topicId } = await createTopic(nodes.channel(leaderId), { name: "orders" });
  const place = { topicId, queue: 0 };
  for (let i = 0; i < COUNT; i++)
    await publish(nodes.channel(leaderId), {
      batches: [batchOf(place, i)],
    });
  return { nodes, leaderId, place };
}

/** Of a message in the second segment. @returns its offset. */
function flipBit({ nodes, leaderId }: Filled): number {
  const directory = join(nodes.directory(leaderId), "group-1", "log");
  const [, second] = readdirSync(directory).filter((name) => name.endsWith(".log"));
  const path = join(directory, second as string);
  const bytes = readFileSync(path);
  const at = bytes.indexOf(" xxxxxxxx") + 1;
  const file = openSync(path, "r+");
  writeSync(file, "y", at);
  closeSync(file);
  return Number(/(\d+) $/u.exec(bytes.toString("latin1", at - 4, at))?.[1]);
}

type Told = FetchReply["queues"][number];

function read({ nodes, leaderId, place }: Filled, offset: number): Promise<FetchReply> {
  const positions = [{ ...place, offset }];
  return fetch(nodes.channel(leaderId), { positions, bytesMax: 5 * BODY_BYTES });
}

/** @returns the first offset that is refused, and what is said of it; or the end. */
async function readThrough(here: Filled): Promise<{ offset: number; told: Told | undefined }> {
  for (let offset = 0; offset < COUNT;) {
    const [told] = (await read(here, offset)).queues;
    if (told === undefined || told.error) return { offset, told };
    offset = told.nextOffset ?? 0;
  }
  return { offset: COUNT, told: undefined };
}

test("who reads what is damaged is told so, and what comes later can be read", async () => {
  const here = await filled(false);
  const offset = flipBit(here);

  const met = await readThrough(here);
  // Up to a MiB is walked from a place that is known to the record that is asked for.
  const behind = await read(here, COUNT - 5);

  expect(met.offset).toBe(offset);
  expect(met.told?.error).toMatchObject({
    code: "FAILED",
    outcome: Outcome.OUTCOME_NOT_APPLIED,
    message: expect.stringContaining("an entry is damaged") as unknown,
  });
  expect(behind.queues[0]?.error).toBeNull();
  expect(bodiesOf(behind)[0]).toMatch(new RegExp(`^ ${COUNT - 5} x`, "u"));
}, 60_000);

test("with the help of its peers it is read again", async () => {
  const here = await filled(true);
  const offset = flipBit(here);

  const met = await readThrough(here);

  expect(met.offset).toBe(offset);
  expect(met.told?.error?.message).toContain("is being repaired");
  await expect.poll(async () => (await readThrough(here)).offset, { timeout: 30_000 }).toBe(COUNT);
}, 60_000);

test("the same of a message that is found by its key", async () => {
  const here = await filled(false);
  flipBit(here);
  const { nodes, leaderId, place } = here;

  const found = nodes
    .channel(leaderId)
    .call(BROKER_SERVICE.queryByKey, { topicId: place.topicId, key: KEY });

  await expect(found).rejects.toMatchObject({ code: "FAILED", outcome: "not-applied" });
}, 60_000);
