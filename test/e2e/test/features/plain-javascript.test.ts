// Goal: a program without types uses the client as it is published, and is told what does not fit.
// Method: a script that is handed to node as text; leaders of both groups are killed before.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { clusterOfFile } from "../kit/cluster-of-file.ts";

const clusterOf = clusterOfFile();
/** Where the package is found by its name. */
const FOLDER = fileURLToPath(new URL("../../", import.meta.url));
const SCRIPT = `
  import { Admin, Producer, PushConsumer } from "@quorumlog/client";
  const nameServers = process.argv.slice(1);
  const admin = await Admin.open({ nameServers });
  await admin.createTopic({ name: "plain", queueCount: 4 });
  const producer = await Producer.open({ nameServers, producerGroup: "scripts" });
  for (let i = 0; i < 20; i++) await producer.send("plain", { body: String(i) });
  const consumer = await PushConsumer.open({
    nameServers,
    consumerGroup: "scripts",
    subscriptions: { plain: "*" },
  });
  let sum = 0;
  let count = 0;
  for await (const message of consumer) {
    sum += Number(message.text());
    count += 1;
    if (count === 20) break;
  }
  const refusals = [];
  for (const call of [
    () => PushConsumer.open({ nameServers, consumerGroup: 5, subscription: {} }),
    () => producer.send("plain", { body: 5 }),
    () => admin.resetOffsets({ group: "scripts", topic: "plain", place: "soon" }),
  ])
    await call().catch(({ code, problems }) =>
      refusals.push([code, problems.map(({ field }) => field)]),
    );
  for (const each of [consumer, producer, admin]) await each.close();
  console.log(JSON.stringify({ sum, refusals }));
`;

test("plain JavaScript publishes, consumes, and is told what does not fit", async () => {
  const cluster = clusterOf();
  await cluster.failOver();
  const args = ["--input-type=module", "--eval", SCRIPT, "--", ...cluster.nameServers];

  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: FOLDER });

  expect(stderr).toBe("");
  expect(JSON.parse(stdout)).toEqual({
    sum: 190,
    refusals: [
      ["INVALID_ARGUMENT", ["consumerGroup", "subscription", "subscriptions"]],
      ["INVALID_ARGUMENT", ["body"]],
      ["INVALID_ARGUMENT", ["place"]],
    ],
  });
});
