/**
 * The directory of a node: who it is, and a folder for each group.
 *
 *     node.json            cluster, node, and which life of the disk this is
 *     group-<id>/log       segment files
 *     group-<id>/snapshots
 */

import type { FileSystem } from "@quorumlog/log";
import { join } from "node:path";
import { FOUNDER_INCARNATION } from "./founding.ts";
import { ReplicaError } from "./replica-error.ts";

export interface NodeIdentity {
  readonly clusterId: string;
  readonly nodeId: number;
  readonly incarnation: number;
  /** Groups whose log was made here: one that is missing later was lost. */
  readonly groupIds: readonly number[];
}

const FILE_NAME = "node.json";
const FORMAT = 1;
const FILE_BYTES_MAX = 4_096;

export function groupDirectory(directory: string, groupId: number): string {
  return join(directory, `group-${groupId}`);
}

/**
 * Whose directory it is; `undefined` if it is nobody's yet.
 *
 * @throws ReplicaError `FAILED`
 */
export function readNodeIdentity(
  fileSystem: FileSystem,
  directory: string,
): NodeIdentity | undefined {
  if (fileSystem.list(directory)?.includes(FILE_NAME) !== true) return undefined;
  const path = join(directory, FILE_NAME);
  const file = fileSystem.open(path, "read");
  try {
    const bytes = Buffer.alloc(Math.min(file.size(), FILE_BYTES_MAX));
    file.readNow(bytes, 0);
    const identity = parseIdentity(bytes.toString("utf8"));
    if (identity !== undefined) return identity;
    throw new ReplicaError("FAILED", `${path} does not say whose directory this is: restore it`);
  } finally {
    file.close();
  }
}

/** Makes the directory a node's, or notes what is new about it: as a whole, or not at all. */
export function writeNodeIdentity(
  fileSystem: FileSystem,
  directory: string,
  identity: NodeIdentity,
): void {
  fileSystem.makeDirectory(directory);
  const path = join(directory, FILE_NAME);
  const draft = `${path}.new`;
  if (fileSystem.list(directory)?.includes(`${FILE_NAME}.new`) === true) fileSystem.remove(draft);
  const file = fileSystem.create(draft);
  try {
    file.writeNow(Buffer.from(`${JSON.stringify({ format: FORMAT, ...identity })}\n`), 0);
    file.syncNow();
  } finally {
    file.close();
  }
  fileSystem.rename(draft, path);
  fileSystem.syncDirectory(directory);
}

/** The number of a disk's life that no other life of this node has; later ones are higher. */
export function drawIncarnation(wallTime: number, random: number): number {
  return Math.max(FOUNDER_INCARNATION + 1, Math.floor(wallTime) * 1_024 + (random % 1_024));
}

function parseIdentity(text: string): NodeIdentity | undefined {
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    const { format, clusterId, nodeId, incarnation, groupIds } = value;
    if (format !== FORMAT || typeof clusterId !== "string") return undefined;
    if (!Number.isSafeInteger(nodeId) || !Number.isSafeInteger(incarnation)) return undefined;
    if (!Array.isArray(groupIds) || !groupIds.every(Number.isSafeInteger)) return undefined;
    const groups = groupIds as number[];
    return {
      clusterId,
      nodeId: Number(nodeId),
      incarnation: Number(incarnation),
      groupIds: groups,
    };
  } catch {
    return undefined;
  }
}
