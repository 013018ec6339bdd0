/** What a case writes, and whether the disk has room for it. */

import { statfsSync } from "node:fs";
import type { Setup } from "./dimension.ts";

const GB = 1_000_000_000;
/** Beside a body: what its record, its batch and their index take, at most. */
const BESIDE_BODY_BYTES = 30;
/** Of messages, published one by one, as fast as it goes. */
const BYTES_PER_SECOND = 150_000_000;
/** Beyond this use of a disk brokers refuse publishes, unless so much is free. */
const FULL_SHARE = 0.9;
const FREE_BYTES = 16 * 1024 ** 3;

export interface DiskSpace {
  readonly free: number;
  readonly total: number;
}

/** Of the disk that a folder is on, in bytes. */
export function diskSpace(folder: string): DiskSpace {
  const { bavail, blocks, bsize } = statfsSync(folder);
  return { free: bavail * bsize, total: blocks * bsize };
}

/** In bytes: of all nodes. @param seconds - How long is published, besides what is filled. */
export function bytesOf(setup: Setup, seconds: number): number {
  const { stored, messageBytes, nodeCount } = setup;
  return nodeCount * (stored * (messageBytes + BESIDE_BODY_BYTES) + seconds * BYTES_PER_SECOND);
}

/** @returns what is said of a case that there is no room for. */
export function lackOfRoom(needed: number, { free, total }: DiskSpace): string | undefined {
  const usable = Math.max(0, free - Math.min(FREE_BYTES, total * (1 - FULL_SHARE)));
  if (needed <= usable) return undefined;
  const [need, have] = [needed, usable].map((bytes) => (bytes / GB).toFixed(1));
  return `needs ${need} GB of disk, and there is room for ${have} GB before brokers refuse`;
}
