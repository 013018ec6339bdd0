// Goal: an acknowledgement says how well what was published is kept, for each durability and mode
// of flushing; and what needs an order of its own is not taken with less than a quorum.
// Method: groups of three nodes, in either mode.

import { NODE_SERVICE } from "@quorumlog/protocol";
import { Durability, Reached } from "@quorumlog/protocol/messages";
import { describe, expect, test } from "vitest";
import type { BrokerOptions } from "../src/index.ts";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { batchOf, bodiesOf, createTopic, fetch, publish } from "./kit/calls.ts";

const { DURABILITY_QUORUM, DURABILITY_LEADER, DURABILITY_ASYNC } = Durability;
const { REACHED_SYNCED, REACHED_WRITTEN, REACHED_MEMORY } = Reached;
const ASYNC: BrokerOptions["replica"]["flush"] = { mode: "async", intervalMs: 50, bytes: 65_536 };

describe.each([
  { mode: "sync", flush: "sync" as const, reached: [REACHED_SYNCED, REACHED_SYNCED] },
  { mode: "async", flush: ASYNC, reached: [REACHED_WRITTEN, REACHED_WRITTEN] },
])("with flush mode $mode", ({ mode, flush, reached }) => {
  test("an acknowledgement says what was reached", async () => {
    const nodes = await BrokerNodes.start(3, { flush });
    const channel = nodes.channel(await nodes.leaderId());
    const { topicId } = await createTopic(channel, { name: "orders" });
    const place = { topicId, queue: 0 };

    const replies = [];
    for (const durability of [DURABILITY_QUORUM, DURABILITY_LEADER, DURABILITY_ASYNC]) {
      const batches = [batchOf(place, [String(durability)])];
      replies.push(await publish(channel, { durability, batches }));
    }

    expect(replies.map((reply) => reply.reached)).toEqual([...reached, REACHED_MEMORY]);
    // Below a quorum no offset is decided yet.
    expect(replies.map(({ results }) => results.length)).toEqual([1, 0, 0]);
    expect(replies.every(({ index, term }) => index > 0 && term > 0)).toBe(true);
    const positions = [{ ...place, offset: 0 }];
    await expect
      .poll(async () => bodiesOf(await fetch(channel, { positions })))
      .toEqual(["1", "2", "3"]);
    const status = await channel.call(NODE_SERVICE.getStatus, {});
    expect(status.flush).toBe(mode);
  });
});

test("in mode async what was written is synced soon after", async () => {
  const nodes = await BrokerNodes.start(3, { flush: ASYNC });
  const leaderId = await nodes.leaderId();
  const { topicId } = await createTopic(nodes.channel(leaderId), { name: "orders" });
  await publish(nodes.channel(leaderId), { batches: [batchOf({ topicId, queue: 0 }, ["x"])] });

  for (const nodeId of [1, 2, 3])
    await expect
      .poll(() => {
        const { lastIndex, syncedIndex } = nodes.broker(nodeId).group.replica.status();
        return lastIndex - syncedIndex;
      })
      .toBe(0);
});

test("a batch with a producer's number is not taken with less than a quorum", async () => {
  const nodes = await BrokerNodes.start(1);
  const channel = nodes.channel(await nodes.leaderId());
  const { topicId } = await createTopic(channel, { name: "orders" });
  const batches = [batchOf({ topicId, queue: 0, sequence: 1 }, ["once"])];

  const reply = await publish(channel, { durability: DURABILITY_LEADER, batches });

  expect(reply.error).toMatchObject({ code: "INVALID_ARGUMENT", outcome: 1 });
  expect(reply.error?.problems?.[0]?.field).toBe("durability");
});
