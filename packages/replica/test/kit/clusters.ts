/** Clusters in memory for a test, closed when it is over, and what is looked at in them. */

import { expect, onTestFinished } from "vitest";
import { ReplicaError, type ReplicatedLog } from "../../src/index.ts";
import { type ClusterOptions, startCluster, type TestCluster } from "../../src/testing/index.ts";

export async function start(options: ClusterOptions = {}): Promise<TestCluster> {
  const cluster = await startCluster(options);
  onTestFinished(() => cluster.close());
  return cluster;
}

/** A leader of three, with ten records. */
export async function tenRecords(
  options: ClusterOptions = {},
): Promise<{ cluster: TestCluster; leader: ReplicatedLog }> {
  const cluster = await start(options);
  const leader = await cluster.leader();
  for (let i = 0; i < 10; i++) await leader.append(bytes(`record ${i}`));
  return { cluster, leader };
}

export function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

export function texts(log: ReplicatedLog, from: number, maxBytes = 1_000_000): string[] {
  return log.read(from, { maxBytes }).records.map(({ data }) => Buffer.from(data).toString());
}

export async function failure(promise: Promise<unknown>): Promise<ReplicaError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ReplicaError);
  return error as ReplicaError;
}
