// Goal: a trim that somebody asks for does not take away what a new node is just being given.
// Method: a snapshot that takes a second to send, and a trim while it is on its way.
import { expect, onTestFinished, test } from "vitest";
import type { ReplicaEvent, ReplicatedLog } from "../src/index.ts";
import { startCluster, type TestCluster } from "../src/testing/index.ts";

async function until(isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!isSo()) {
    expect(performance.now()).toBeLessThan(deadline);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/**
 * A group whose new node is being sent a snapshot behind which there is a later marker.
 *
 * @param sessionCount - Makes it large: two thousand take a second.
 */
async function installing(sessionCount: number): Promise<{
  cluster: TestCluster;
  leader: ReplicatedLog;
  added: Promise<void>;
  installed: () => number;
}> {
  const events: ReplicaEvent[] = [];
  const cluster = await startCluster({
    // Patient, so that a machine with much else to do elects nobody meanwhile.
    tuning: { snapshotBytesPerSecond: 65_536, electionMs: 5_000 },
    onEvent: (nodeId, event) => {
      if (nodeId === 4) events.push(event);
    },
  });
  onTestFinished(() => cluster.close());
  const leader = await cluster.leader();
  await Promise.all(Array.from({ length: sessionCount }, () => leader.openSession()));
  for (let i = 0; i < 2; i++) {
    await leader.append(Buffer.from(`${i}`));
    await leader.snapshot();
  }
  await leader.trim(1);
  await leader.append(Buffer.from("2"));
  await cluster.join(4);
  const added = leader.addLearner(4, cluster.address(4), { timeoutMs: 30_000 });
  const isSent = (): boolean => {
    const { progress } = leader.status();
    return progress.some(({ id, state }) => id === 4 && state === "snapshot");
  };
  await until(isSent);
  const installed = (): number => events.filter(({ type }) => type === "snapshotInstalled").length;
  return { cluster, leader, added, installed };
}

test("a trim waits until a snapshot has arrived that it would have made useless", async () => {
  const { cluster, leader, added, installed } = await installing(2_000);

  await leader.trim(2, { timeoutMs: 30_000 });

  expect(installed()).toBe(1);
  await added;
  await until(() => cluster.log(4).status().nextOffset === 3);
  expect(installed()).toBe(1);
  expect(leader.status().firstOffset).toBe(2);
}, 60_000);

test("a trim waits no longer than half of the time it has", async () => {
  const { leader, installed, added } = await installing(10_000);
  const startedAt = performance.now();

  await leader.trim(2, { timeoutMs: 3_000 });

  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(1_490);
  expect(installed()).toBe(0);
  await added;
}, 60_000);
