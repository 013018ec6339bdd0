// Goal: when a disk is full, publishes are refused and consumers go on; with room again, so do
// producers.
// Method: brokers that keep most of what is free now; a file takes more, and is removed.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { codeOf, producerOf, pullConsumerOf, range, take } from "../kit/clients.ts";
import { clusterOfFile } from "../kit/cluster-of-file.ts";

const TIB = 2 ** 40;
const { bavail, bsize } = statfsSync(tmpdir());
const freeBytes = Math.min(bavail * bsize, TIB);

// A quarter more than the reserve has to be free for publishes to be taken again.
const clusterOf = clusterOfFile({
  brokerSettings: { diskReserveBytes: Math.floor(0.75 * freeBytes), diskFullPercent: 100 },
});

/** Takes room on the disk, and no time. @returns how to give it back; nothing if it cannot be. */
function fillDisk(bytes: number): (() => void) | undefined {
  const folder = mkdtempSync(join(tmpdir(), "quorumlog-full-disk-"));
  const empty = (): void => {
    rmSync(folder, { recursive: true, force: true });
  };
  onTestFinished(empty);
  try {
    execFileSync("fallocate", ["-l", String(bytes), join(folder, "fill")], { stdio: "pipe" });
    return empty;
  } catch {
    // There is no such program, or the file system does not let it.
    return undefined;
  }
}

test("on a full disk publishes are refused, offsets are kept, and it passes", async (context) => {
  const cluster = clusterOf();
  const admin = await cluster.admin();
  await admin.createTopic({ name: "kept", queueCount: 4 });
  const producer = await producerOf(cluster);
  await Promise.all(range(40).map((i) => producer.send("kept", { body: String(i) })));
  const consumer = await pullConsumerOf(cluster, { consumerGroup: "readers" });
  await consumer.assign(consumer.queuesOf("kept"));
  for (const place of consumer.queuesOf("kept")) await consumer.seek(place, "earliest");
  const send = (): Promise<unknown> =>
    producer.send("kept", { body: "more" }, { timeoutMs: 3_000 });

  const empty = fillDisk(Math.floor(0.3 * freeBytes));
  if (empty === undefined) {
    context.skip();
    return;
  }
  await cluster.until("publishes are refused", async () => {
    return (await codeOf(send()).catch(() => "")) === "" ? undefined : true;
  });
  await cluster.failOver();
  const consumed = await take(consumer, 40);
  await consumer.commit();
  const refusals = await Promise.all(
    range(4).map(() =>
      send().then(
        () => "",
        (error: unknown) => (error as Error).message,
      ),
    ),
  );

  expect(consumed).toHaveLength(40);
  for (const refusal of refusals) expect(refusal).toMatch(/the disk of node \d+ has too little/u);
  empty();
  await cluster.until("publishes are taken again", async () => {
    return (await codeOf(send()).catch(() => "")) === "" ? true : undefined;
  });
});
