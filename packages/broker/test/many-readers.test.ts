// Goal: hundreds of readers at the end of a queue get every batch, in order, although they are not
// woken for each: what comes meanwhile is theirs as well.
// Method: streams that ask again as soon as they are answered, while batches are published.

import { BROKER_SERVICE } from "@quorumlog/protocol";
import type { FetchReply } from "@quorumlog/protocol/messages";
import { expect, onTestFinished, test } from "vitest";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { batchOf, bodiesOf, createTopic, publish } from "./kit/calls.ts";

const READERS = 300;
const BATCHES = 300;
const PUBLISHERS = 10;

test("readers at the end of a queue get every batch, in one order", async () => {
  const nodes = await BrokerNodes.start(1);
  const channel = nodes.channel(await nodes.leaderId());
  const { topicId } = await createTopic(channel, { name: "orders" });
  const { traffic } = nodes.broker(1).group;
  const seen = Array.from({ length: READERS }, () => [] as string[]);
  for (const bodies of seen) {
    const stream = channel.duplex(BROKER_SERVICE.fetch);
    let offset = 0;
    const ask = (): void => {
      stream.write({ positions: [{ topicId, queue: 0, offset }], waitMs: 60_000 });
    };
    stream.on("data", (reply: FetchReply) => {
      bodies.push(...bodiesOf(reply));
      offset = reply.queues[0]?.nextOffset ?? offset;
      ask();
    });
    stream.on("error", () => undefined);
    onTestFinished(() => {
      stream.cancel();
    });
    ask();
  }
  await expect.poll(() => traffic.fetchesWaiting, { timeout: 20_000 }).toBe(READERS);

  const all = Array.from({ length: BATCHES }, (_, i) => `m${i}`);
  const left = all.values();
  const work = async (): Promise<void> => {
    for (const body of left)
      await publish(channel, { batches: [batchOf({ topicId, queue: 0 }, [body])] });
  };
  await Promise.all(Array.from({ length: PUBLISHERS }, work));

  await expect
    .poll(() => seen.filter(({ length }) => length === BATCHES).length, { timeout: 20_000 })
    .toBe(READERS);
  expect(seen[0]?.toSorted()).toEqual(all.toSorted());
  expect(seen.every((bodies) => bodies.join() === seen[0]?.join())).toBe(true);
}, 60_000);
