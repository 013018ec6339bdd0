/** A cluster whose nodes have logs of several segments, and damage to them. */

import { required } from "@quorumlog/std";
import { expect } from "vitest";
import type { ReplicaEvent, ReplicaTuning, ReplicatedLog } from "../../src/index.ts";
import { type ClusterOptions, startCluster, type TestCluster } from "../../src/testing/index.ts";

const RECORD_BYTES = 1_000;
/** Old entries are read from the files. */
export const SMALL: Partial<ReplicaTuning> = {
  segmentBytes: 65_536,
  tailBytesMax: 0,
  containerBytesMax: 4_096,
};

export interface DamagedCluster extends AsyncDisposable {
  readonly cluster: TestCluster;
  readonly events: { readonly nodeId: number; readonly event: ReplicaEvent }[];
  /** How many records were acknowledged. */
  count: number;
}

export async function filledCluster(options: ClusterOptions = {}): Promise<DamagedCluster> {
  const events: DamagedCluster["events"] = [];
  const cluster = await startCluster({
    tuning: SMALL,
    recoverFromPeers: true,
    onEvent: (nodeId, event) => events.push({ nodeId, event }),
    ...options,
  });
  const filled = { cluster, events, count: 0, [Symbol.asyncDispose]: () => cluster.close() };
  await fill(filled, 400);
  return filled;
}

export async function fill(filled: DamagedCluster, count: number): Promise<void> {
  const leader = await filled.cluster.leader();
  const from = filled.count;
  await Promise.all(Array.from({ length: count }, (_, i) => leader.append(recordOf(from + i))));
  filled.count += count;
  // Everybody knows what is committed, on the disk, too.
  for (const log of filled.cluster.logs) await log.readBarrier();
}

export function recordOf(number: number): Uint8Array {
  return new Uint8Array(RECORD_BYTES).fill(number % 251);
}

/** The segments of a node, oldest first, but for those at the end. */
export function segmentsOf(cluster: TestCluster, nodeId: number): string[] {
  const directory = `/node-${nodeId}/group-0/log`;
  const names = (cluster.disk(nodeId).list(directory) ?? []).filter((name) =>
    name.endsWith(".log"),
  );
  expect(names.length).toBeGreaterThan(5);
  return names.slice(0, -3).map((name) => `${directory}/${name}`);
}

/** Bits of entries, and of the footer: then nothing says what the segment held. */
export function ruin(cluster: TestCluster, nodeId: number, path: string): void {
  const disk = cluster.disk(nodeId);
  for (const at of [20_000, 40_000, 65_536 - 10])
    disk.damage(path, at, Uint8Array.of((disk.bytesOf(path)[at] ?? 0) ^ 0x10));
}

/** Bits of an entry: found when it is read. */
export function flip(cluster: TestCluster, nodeId: number, path: string, at = 20_000): void {
  const disk = cluster.disk(nodeId);
  disk.damage(path, at, Uint8Array.of((disk.bytesOf(path)[at] ?? 0) ^ 0x10));
}

/** Reads all that was acknowledged. */
export function demandAll(log: ReplicatedLog, count: number): void {
  let from = 0;
  while (from < count) {
    const { records, nextOffset } = log.read(from);
    for (const { offset, data } of records)
      if (Buffer.compare(data, recordOf(offset)) !== 0)
        throw new Error(`record ${offset} is wrong`);
    expect(nextOffset).toBeGreaterThan(from);
    from = nextOffset;
  }
}

/** The entries of all nodes are the same. */
export async function demandEqual({ cluster, count }: DamagedCluster): Promise<void> {
  for (const log of cluster.logs) {
    await log.readBarrier();
    demandAll(log, count);
  }
}

/** Stops nodes, damages them, and has them start again, at once. */
export async function restartWith(
  { cluster }: DamagedCluster,
  damages: ReadonlyMap<number, (path: string) => void>,
  which: (segments: readonly string[], nodeId: number) => string,
): Promise<void> {
  for (const nodeId of damages.keys()) await cluster.kill(nodeId);
  for (const [nodeId, damage] of damages) damage(which(segmentsOf(cluster, nodeId), nodeId));
  await Promise.all([...damages.keys()].map((nodeId) => cluster.restart(nodeId)));
}

export function second(segments: readonly string[]): string {
  return required(segments[1], "there are several");
}
