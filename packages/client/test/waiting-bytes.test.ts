// Goal: what waits to be sent is counted exactly, as containers leave by it: nothing is left of it
// once everything is settled.
// Method: a sender against a small broker on a real port that stores, refuses, loses answers and
// misses numbers, as a seed says; calls that leave at any time.

import * as fc from "fast-check";
import { OperationError } from "@quorumlog/protocol";
import { expect, onTestFinished, test } from "vitest";
import { BATCH_MEMORY } from "../src/batch-memory.ts";
import { ClusterLink } from "../src/cluster-link.ts";
import { GroupSender } from "../src/group-sender.ts";
import { ProducerIdentity } from "../src/producer-identity.ts";
import { QueueOutbox } from "../src/queue-outbox.ts";
import { SendCall } from "../src/send-call.ts";
import { SmallCluster } from "./kit/small-cluster.ts";

const ORDERS = { name: "orders", topicId: 7, groupIds: [1, 1, 1] };
const BATCH_BYTES = 4_096;
const ERRORS = {
  refuse: "TOPIC_NOT_WRITABLE",
  gap: "SEQUENCE_GAP",
  elsewhere: "LEADERSHIP_LOST",
  busy: "OVERLOADED",
} as const;
const MOODS = ["store", "refuse", "gap", "elsewhere", "busy"] as const;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Sending {
  readonly cluster: SmallCluster;
  readonly sender: GroupSender;
  readonly outboxes: readonly QueueOutbox[];
  readonly live: Set<SendCall>;
}

async function sending(): Promise<Sending> {
  const cluster = await SmallCluster.open(1, [ORDERS]);
  const link = await ClusterLink.open({ nameServers: [cluster.nameServer.address] });
  const topic = await link.routes.until((route) => route.topics.get("orders"), {
    timeoutMs: 10_000,
    why: "no topic",
  });
  const live = new Set<SendCall>();
  const sender = new GroupSender({
    groupId: 1,
    link,
    identity: new ProducerIdentity({ producerGroup: "tests", clientId: "one" }),
    lingerMs: 0,
    batchBytesMax: BATCH_BYTES,
    onSettled: (call) => live.delete(call),
  });
  const options = { batchBytesMax: BATCH_BYTES, compress: false, memory: BATCH_MEMORY };
  const outboxes = [0, 1, 2].map((queue) => new QueueOutbox(topic, queue, options));
  onTestFinished(async () => {
    sender.close();
    await link.close();
  });
  return { cluster, sender, outboxes, live };
}

test("a call leaves what is under way, and the other one what is numbered anew", async () => {
  const { cluster, sender, outboxes, live } = await sending();
  const [one, other] = [callOf(1_000), callOf(1_000)];
  cluster.first.onPublish = () => {
    leave(sender, live, one);
    return live.has(other) ? new OperationError("SEQUENCE_GAP", "gap") : undefined;
  };
  for (const call of [one, other]) {
    live.add(call);
    sender.add(outboxes[0] as QueueOutbox, call);
  }
  while (live.has(one) || other.batch?.encoded !== undefined) await turn();

  leave(sender, live, other);

  expect(sender.waitingBytes).toBe(0);
}, 60_000);

test("after any mix of answers and leaves nothing is counted as waiting", async () => {
  const { cluster, sender, outboxes, live } = await sending();
  const calls = fc.record({
    queue: fc.nat(2),
    bytes: fc.integer({ min: 1, max: 1_500 }),
    leavesAfterMs: fc.option(fc.nat(15), { nil: undefined }),
    isBehindTurn: fc.boolean(),
  });
  const round = fc.tuple(
    fc.array(calls, { minLength: 1, maxLength: 40 }),
    fc.array(fc.constantFrom(...MOODS), { maxLength: 12 }),
  );
  await fc.assert(
    fc.asyncProperty(round, async ([wishes, moods]) => {
      const left = [...moods];
      cluster.first.onPublish = () => errorOf(left.shift() ?? "store");
      for (const { queue, bytes, leavesAfterMs, isBehindTurn } of wishes) {
        const call = callOf(bytes);
        live.add(call);
        sender.add(outboxes[queue] as QueueOutbox, call);
        if (leavesAfterMs !== undefined)
          setTimeout(() => {
            leave(sender, live, call);
          }, leavesAfterMs);
        if (isBehindTurn) await turn();
      }
      await expect.poll(() => live.size, { timeout: 20_000, interval: 1 }).toBe(0);
      expect(sender.waitingBytes).toBe(0);
    }),
    { numRuns: 60 },
  );
}, 180_000);

/** As a producer does whose caller has given up. */
function leave(sender: GroupSender, live: Set<SendCall>, call: SendCall): void {
  const { batch } = call;
  if (!live.delete(call) || batch === undefined) return;
  call.fail(new OperationError("ABORTED", "given up"));
  sender.leave(call, batch);
}

function callOf(bytes: number): SendCall {
  return new SendCall({
    topic: "orders",
    message: { body: new Uint8Array(bytes) },
    others: undefined,
    bytes: bytes + 9,
    durability: "quorum",
    timeoutMs: 30_000,
    resolve: () => undefined,
    reject: () => undefined,
  });
}

function errorOf(mood: keyof typeof ERRORS | "store"): OperationError | undefined {
  return mood === "store" ? undefined : new OperationError(ERRORS[mood], mood);
}
