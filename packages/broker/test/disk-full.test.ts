// Goal: on a full disk publishes are refused, and consumers go on; with room again, all is as it
// was.
// Method: three nodes, whose disks are as full as the test says.

import { COORDINATOR_SERVICE, ADMIN_SERVICE, OFFSETS_SERVICE } from "@quorumlog/protocol";
import { AssignmentStrategy, ConsumeMode } from "@quorumlog/protocol/messages";
import { expect, test } from "vitest";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { batchOf, bodiesOf, createTopic, fetch, publish } from "./kit/calls.ts";
import { FilledDisk } from "./kit/filled-disk.ts";

const MIB = 1024 * 1024;
const TOTAL_BYTES = 1_000 * MIB;

async function started(): Promise<{ nodes: BrokerNodes; leaderId: number; disks: FilledDisk[] }> {
  const disks = [1, 2, 3].map(() => new FilledDisk(TOTAL_BYTES));
  const nodes = await BrokerNodes.start(3, {
    tuning: { diskReserveBytes: 4 * MIB, electionMs: 2_000, heartbeatMs: 200 },
    fileSystemOf: (nodeId) => (disks[nodeId - 1] as FilledDisk).fileSystem,
  });
  return { nodes, leaderId: await nodes.leaderId(), disks };
}

test.each(["the leader", "a follower"])(
  "with the disk of %s full publishes are refused, all else goes on, and it passes",
  async (whose) => {
    const { nodes, leaderId, disks } = await started();
    const channel = nodes.channel(leaderId);
    const { topicId } = await createTopic(channel, { name: "orders" });
    const other = await createTopic(channel, { name: "other" });
    const place = { topicId, queue: 0 };
    const batches = [batchOf(place, ["kept"])];
    await publish(channel, { batches });
    const nodeId = whose === "the leader" ? leaderId : (leaderId % 3) + 1;
    const disk = disks[nodeId - 1] as FilledDisk;

    // Nine tenths are used.
    disk.freeBytes = 0.1 * TOTAL_BYTES - 1;
    const code = async (): Promise<string | undefined> =>
      (await publish(channel, { batches })).error?.code ?? undefined;
    await expect.poll(code, { timeout: 20_000 }).toBe("DISK_FULL");
    const { error } = await publish(channel, { batches });

    expect(error).toMatchObject({ outcome: 1, retryAfterMs: 1_000 });
    expect(error?.message).toContain(`node ${nodeId}`);
    expect(bodiesOf(await fetch(channel, { positions: [{ ...place, offset: 0 }] }))[0]).toBe(
      "kept",
    );
    const claim = { group: "g", memberId: "m", epoch: 1, queues: [place], leaseMs: 0 };
    const claimed = await channel.call(OFFSETS_SERVICE.claim, claim);
    expect(claimed.queues[0]?.error).toBeNull();
    const offsets = [{ ...place, offset: 1 }];
    const commit = { group: "g", memberId: "m", epoch: 1, offsets };
    expect((await channel.call(OFFSETS_SERVICE.commit, commit)).errors[0]?.code).toBe("");
    const member = channel.duplex(COORDINATOR_SERVICE.join);
    const assigned = new Promise<number>((resolve, reject) => {
      member.on("data", ({ queues }: { queues: readonly unknown[] }) => {
        resolve(queues.length);
      });
      member.on("error", reject);
    });
    const mode = ConsumeMode.CONSUME_MODE_CLUSTERING;
    const strategy = AssignmentStrategy.ASSIGNMENT_STRATEGY_STICKY;
    const subscriptions = [{ topic: "orders", tagExpression: "*" }];
    member.write({ join: { group: "g", memberId: "m", mode, strategy, subscriptions } });
    expect(await assigned).toBe(4);
    member.cancel();
    await channel.call(ADMIN_SERVICE.deleteTopic, { name: other.name });
    const { replica } = nodes.broker(leaderId).group;
    await replica.trim(replica.status().nextOffset - 1);

    disk.freeBytes = TOTAL_BYTES;
    await expect.poll(code, { timeout: 20_000 }).toBeUndefined();
  },
  60_000,
);

test("with half of the reserve gone, too, nothing more is written but trims", async () => {
  const { nodes, leaderId, disks } = await started();
  const channel = nodes.channel(leaderId);
  const { topicId } = await createTopic(channel, { name: "orders" });
  const queues = [{ topicId, queue: 0 }];
  (disks[leaderId - 1] as FilledDisk).freeBytes = 2 * MIB - 1;

  const claim = { group: "g", memberId: "m", epoch: 1, queues, leaseMs: 0 };
  const code = async (): Promise<unknown> =>
    channel.call(OFFSETS_SERVICE.claim, claim).then(
      () => undefined,
      (error: unknown) => (error as { code?: string }).code,
    );

  await expect.poll(code, { timeout: 20_000 }).toBe("DISK_FULL");
  const { replica } = nodes.broker(leaderId).group;
  await replica.trim(replica.status().nextOffset);
}, 60_000);
