/**
 * The directory of a node: who it is, and a folder for each group.
 *
 *     node.json            cluster, node, which life of the disk this is, and who founded what
 *     group-<id>/log       segment files
 *     group-<id>/snapshots
 *     group-<id>/flush.json  whether what was acknowledged may be lost: see flush-note.ts
 */

import type { FileSystem } from "@quorumlog/log";
import type { Member } from "@quorumlog/raft";
import { assert } from "@quorumlog/std";
import { join } from "node:path";
import { FOUNDER_INCARNATION, foundingDigest } from "./founding.ts";
import { readNote, writeNote } from "./note-file.ts";
import { ReplicaError } from "./replica-error.ts";

export interface NodeIdentity {
  readonly clusterId: string;
  readonly nodeId: number;
  readonly incarnation: number;
  /** Groups whose log was made here: one that is missing later was lost. */
  readonly groupIds: readonly number[];
  /** At most one of each group. */
  readonly foundings: readonly GroupFounding[];
}

/** Which founding of a group this node holds to, for as long as its disk lives. */
export interface GroupFounding {
  readonly groupId: number;
  /** As `foundingDigest` makes it. */
  readonly digest: string;
  /** Whom this node has confirmed; nobody, if it only learned which founding it is. */
  readonly founders: readonly Member[];
}

const FILE_NAME = "node.json";
const FORMAT = 1;
const DIGEST = /^[0-9a-f]{16}$/;

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
  const text = readNote(fileSystem, directory, FILE_NAME);
  if (text === undefined) return undefined;
  const identity = parseIdentity(text);
  if (identity !== undefined) return identity;
  const path = join(directory, FILE_NAME);
  const format = formatOf(text);
  if (format !== undefined && format > FORMAT) {
    const why = `is of format ${format}, and ${FORMAT} is the latest one known here`;
    throw new ReplicaError("FAILED", `${path} ${why}: start a later version`);
  }
  throw new ReplicaError("FAILED", `${path} does not say whose directory this is: restore it`);
}

/** Makes the directory a node's, or notes what is new about it: as a whole, or not at all. */
export function writeNodeIdentity(
  fileSystem: FileSystem,
  directory: string,
  identity: NodeIdentity,
): void {
  const text = `${JSON.stringify({ format: FORMAT, ...identity })}\n`;
  writeNote(fileSystem, { directory, name: FILE_NAME }, text);
}

/**
 * Notes what is new about a node that has a directory. What was noted is read again for that:
 * another group of the process may have written since this one has read it.
 */
export function updateNodeIdentity(
  fileSystem: FileSystem,
  directory: string,
  change: (noted: NodeIdentity) => NodeIdentity,
): void {
  const noted = readNodeIdentity(fileSystem, directory);
  if (noted === undefined)
    throw new ReplicaError("FAILED", `${join(directory, FILE_NAME)} is gone: restore it`);
  writeNodeIdentity(fileSystem, directory, change(noted));
}

/** What a node holds to, with one more founding; that of a group never changes. */
export function withFounding(noted: NodeIdentity, founding: GroupFounding): NodeIdentity {
  const { groupId, digest } = founding;
  const former = foundingOf(noted, groupId);
  assert((former?.digest ?? digest) === digest, "a life of a disk holds to one founding");
  if (former !== undefined) return noted;
  return { ...noted, foundings: [...noted.foundings, founding] };
}

export function foundingOf(identity: NodeIdentity, groupId: number): GroupFounding | undefined {
  return identity.foundings.find((founding) => founding.groupId === groupId);
}

/** The number of a disk's life that no other life of this node has; later ones are higher. */
export function drawIncarnation(wallTime: number, random: number): number {
  return Math.max(FOUNDER_INCARNATION + 1, Math.floor(wallTime) * 1_024 + (random % 1_024));
}

function formatOf(text: string): number | undefined {
  try {
    const { format } = JSON.parse(text) as { readonly format?: unknown };
    return typeof format === "number" ? format : undefined;
  } catch {
    // Damaged: it says nothing, and that is told.
    return undefined;
  }
}

function parseIdentity(text: string): NodeIdentity | undefined {
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    const { format, clusterId, nodeId, incarnation, groupIds, foundings = [] } = value;
    if (format !== FORMAT || typeof clusterId !== "string") return undefined;
    if (!Number.isSafeInteger(nodeId) || !Number.isSafeInteger(incarnation)) return undefined;
    if (!Array.isArray(groupIds) || !groupIds.every(Number.isSafeInteger)) return undefined;
    if (!Array.isArray(foundings) || !foundings.every(isFounding)) return undefined;
    return {
      clusterId,
      nodeId: Number(nodeId),
      incarnation: Number(incarnation),
      groupIds: groupIds as number[],
      foundings,
    };
  } catch {
    // It is no JSON, or nothing of this shape: the caller says so.
    return undefined;
  }
}

function isFounding(value: unknown): value is GroupFounding {
  const { groupId, digest, founders } = value as Record<string, unknown>;
  if (!Number.isSafeInteger(groupId) || typeof digest !== "string") return false;
  if (!DIGEST.test(digest) || !Array.isArray(founders) || !founders.every(isMember)) return false;
  return founders.length === 0 || foundingDigest(founders) === digest;
}

function isMember(value: unknown): value is Member {
  const { id, incarnation } = value as Record<string, unknown>;
  return Number.isSafeInteger(id) && Number.isSafeInteger(incarnation);
}
