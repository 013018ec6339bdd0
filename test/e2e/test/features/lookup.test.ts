// Goal: what was stored is found again, by id, key and time, also where another node leads now.
// Method: publish to both groups, kill their leaders, look.

import { Producer } from "@quorumlog/client";
import { expect, test } from "vitest";
import { clusterOfFile } from "../kit/cluster-of-file.ts";

const clusterOf = clusterOfFile();

test("a message is found by the id that its producer was told", async () => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "by-id", queueCount: 4 });
  await using producer = await Producer.open({
    nameServers: cluster.nameServers,
    producerGroup: "shop",
    queueSelector: (message) => Number(message.keys?.[0]),
  });
  const sends = [0, 1, 2, 3].map((queue) =>
    producer.send("by-id", { body: `of queue ${queue}`, keys: [String(queue)] }),
  );
  const receipts = await Promise.all(sends);

  await cluster.failOver();

  for (const { messageId = "", queue } of receipts)
    expect((await admin.messageById(messageId))?.text()).toBe(`of queue ${queue}`);
});
