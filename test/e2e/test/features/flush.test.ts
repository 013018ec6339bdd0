// Goal: brokers that sync soon after say so with each acknowledgement, and lose nothing to kill -9.
// Method: groups in flush mode async, whose leaders are killed.

import { expect, test } from "vitest";
import { producerOf, queueOfKey, range, readTopic, textsOf } from "../kit/clients.ts";
import { clusterOfFile } from "../kit/cluster-of-file.ts";

const clusterOf = clusterOfFile({ brokerSettings: { flush: "async", flushIntervalMs: 100 } });

test("in flush mode async a quorum has written what it acknowledges", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "written", queueCount: 4 });
  const producer = await producerOf(cluster, { queueSelector: queueOfKey });
  const sendAll = (from: number) =>
    Promise.all(
      range(40).map((i) =>
        producer.send("written", { body: String(from + i), keys: [String(i % 4)] }),
      ),
    );

  const receipts = await sendAll(0);
  const leaders = await producer.send("written", { body: "of leaders" }, { durability: "leader" });
  await cluster.failOver();
  receipts.push(...(await sendAll(40)));

  expect(new Set(receipts.map(({ reached }) => reached))).toEqual(new Set(["written"]));
  expect(leaders.reached).toBe("written");
  const texts = new Set(textsOf(await readTopic(cluster, "written", 81)));
  expect(range(80).filter((i) => !texts.has(String(i)))).toEqual([]);
});
