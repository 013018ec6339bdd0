// Goal: what should never be thrown ends a call with an error, and is told to whoever runs the
// node.
// Method: a node of one, a part of which is made to throw.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RpcChannel } from "@quorumlog/protocol";
import { expect, onTestFinished, test } from "vitest";
import { Broker } from "../src/index.ts";
import { batchOf, createTopic, fetch, publish } from "./kit/calls.ts";

const BROKEN = new Error("something that cannot be");

async function started(): Promise<{
  readonly broker: Broker;
  readonly channel: RpcChannel;
  readonly topicId: number;
  readonly defects: unknown[];
}> {
  const folder = mkdtempSync(join(tmpdir(), "quorumlog-broker-"));
  const defects: unknown[] = [];
  const broker = await Broker.open({
    listen: "127.0.0.1:0",
    replica: {
      directory: join(folder, "node"),
      clusterId: "test",
      nodeId: 1,
      peers: { 1: "127.0.0.1:1" },
      listen: "127.0.0.1:0",
      token: "a secret of the test",
      ifMissing: "found",
    },
    onDefect: (error) => {
      defects.push(error);
    },
  });
  const channel = new RpcChannel({ address: `127.0.0.1:${broker.port}` });
  onTestFinished(async () => {
    channel.close();
    await broker.close();
    rmSync(folder, { recursive: true, force: true });
  });
  await expect.poll(() => broker.group.machine.metadata.groups().length).toBe(1);
  const { topicId } = await createTopic(channel, { name: "orders" });
  return { broker, channel, topicId, defects };
}

function makeThrow(part: object, method: string): void {
  Object.defineProperty(part, method, {
    value: () => {
      throw BROKEN;
    },
  });
}

test("of a publish", async () => {
  const { broker, channel, topicId, defects } = await started();
  makeThrow(broker.group.machine, "refusalOf");

  const published = publish(channel, { batches: [batchOf({ topicId, queue: 0 }, ["a"])] });

  await expect(published).rejects.toThrow("a defect");
  expect(defects).toEqual([BROKEN]);
});

test("of a fetch", async () => {
  const { broker, channel, topicId, defects } = await started();
  makeThrow(broker.group.machine.metadata, "topicById");

  const fetched = fetch(channel, { positions: [{ topicId, queue: 0, offset: 0 }] });

  await expect(fetched).rejects.toThrow("a defect");
  expect(defects).toEqual([BROKEN]);
});
