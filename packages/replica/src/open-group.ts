/** Opens what a replica stands on, in the right order, and lets go of it again. */

import {
  createLog,
  DamagedLog,
  type FileSystem,
  type LogBase,
  LogError,
  type LogPlace,
  nodeFileSystem,
  parseLogOptions,
  type LateSync,
  type SegmentLogInit,
  SegmentLogStore,
} from "@quorumlog/log";
import { InvariantViolation } from "@quorumlog/std";
import type { Transport } from "@quorumlog/transport";
import { join } from "node:path";
import type { Checkpoint } from "./checkpoint.ts";
import { type Environment, nodeEnvironment } from "./environment.ts";
import type { Member } from "@quorumlog/raft";
import type { FlushMode } from "./flush-mode.ts";
import { FlushNote, type FlushNotePlace, noteSyncFailed } from "./flush-note.ts";
import { FoundedTransport } from "./founded-transport.ts";
import { FOUNDER_INCARNATION, foundingBase, foundingDigest, joiningBase } from "./founding.ts";
import type { FoundingResult } from "./founding-agreement.ts";
import { LogRecovery } from "./log-recovery.ts";
import type { Machine } from "./machine.ts";
import {
  drawIncarnation,
  foundingOf,
  groupDirectory,
  type NodeIdentity,
  readNodeIdentity,
  updateNodeIdentity,
  withFounding,
  writeNodeIdentity,
} from "./node-directory.ts";
import { Replica } from "./replica.ts";
import { ReplicaError } from "./replica-error.ts";
import type { ReplicaEvent } from "./replica-event.ts";
import type { ReplicaInit } from "./replica-init.ts";
import { raftOptions, type ReplicaTuning, TICK_MS } from "./replica-options.ts";
import { SnapshotStore } from "./snapshot-store.ts";
import type { OpenCheckpoint } from "./state-keeper.ts";
import { watchedMachine } from "./watched-machine.ts";

/**
 * What to do where there is nothing yet.
 *
 * `found`: this node is one of those that begin the group, which are the keys of `peers`; all of
 * them have to be up once. `join`: it is to be added to a group that exists. `fail`: it is not
 * the first time, so a disk that is empty was lost.
 */
export type IfMissing = "found" | "join" | "fail";

export interface GroupPlace {
  readonly directory: string;
  readonly clusterId: string;
  readonly nodeId: number;
  readonly groupId: number;
  readonly ifMissing: IfMissing;
  /**
   * Whether founders draw a number for the life of their disk, and tell each other before they
   * begin: see `FoundingAgreement`. Else each is in its first life, which nobody checks.
   */
  readonly foundersAgree?: boolean;
  readonly fileSystem?: FileSystem;
  readonly environment?: Environment;
}

export interface GroupInit extends GroupPlace {
  readonly identity: NodeIdentity;
  /** What the founders have agreed on; `undefined` on a disk whose log is there, or without it. */
  readonly founding?: FoundingResult | undefined;
  readonly addresses: ReadonlyMap<number, string>;
  readonly tuning: ReplicaTuning;
  /** Best first. */
  readonly preferredLeaders: readonly number[];
  readonly leaseReads: boolean;
  /** Default: everything is synced before it is acknowledged. */
  readonly flush?: FlushMode;
  /** What a crash of the host may have cost is lost: this node takes part without it. */
  readonly acceptLoss?: boolean;
  /** Whether entries that are damaged here come from peers: see `NodeOptions`. */
  readonly recoverFromPeers?: boolean;
  readonly transport: Transport;
  readonly machine: Machine | undefined;
  readonly checkpoint?: Checkpoint | undefined;
  readonly onEvent: (event: ReplicaEvent) => void;
  readonly onTurn: () => void;
}

export interface OpenGroup {
  readonly replica: Replica;
  /** Lets go of the disk; the replica was stopped. */
  close(onClosed: () => void): void;
}

const STALL_MS = 200;

/**
 * Reads who a node is, or makes it somebody.
 *
 * @throws ReplicaError `INVALID_ARGUMENT` if the directory is another node's, or is nobody's and
 *   should not be.
 */
export function openNode(place: GroupPlace): NodeIdentity {
  const { directory, clusterId, nodeId, ifMissing } = place;
  const fileSystem = place.fileSystem ?? nodeFileSystem;
  const environment = place.environment ?? nodeEnvironment;
  const found = readNodeIdentity(fileSystem, directory);
  if (found !== undefined) {
    if (found.clusterId === clusterId && found.nodeId === nodeId) {
      // What was read may have no name on the disk: its sync may have failed in a former life.
      fileSystem.syncDirectory(directory);
      return found;
    }
    throw new ReplicaError(
      "INVALID_ARGUMENT",
      `directory: ${directory} belongs to node ${found.nodeId} of cluster ${found.clusterId}, ` +
        `and not to node ${nodeId} of cluster ${clusterId}`,
    );
  }
  if (ifMissing === "fail")
    throw new ReplicaError(
      "INVALID_ARGUMENT",
      `directory: ${directory} holds no node: is the path right, and the disk mounted? If the ` +
        'disk was lost, replace the node; if it is new, say ifMissing: "found" or "join"',
    );
  const incarnation =
    ifMissing === "found" && place.foundersAgree !== true
      ? FOUNDER_INCARNATION
      : drawIncarnation(environment.wallTime(), environment.random());
  const identity = { clusterId, nodeId, incarnation, groupIds: [], foundings: [] };
  writeNodeIdentity(fileSystem, directory, identity);
  return identity;
}

/**
 * Begins to repair the log of a group that does not open.
 *
 * @returns `undefined` if there is nothing to repair, or it is not to be: the group can be opened.
 * @throws LogError for whatever cannot be repaired.
 */
export function recoverGroup(
  init: Omit<GroupInit, "onTurn" | "machine">,
  onDone: (error: Error | undefined) => void,
): LogRecovery | undefined {
  const { groupId, nodeId, identity, addresses, onEvent } = init;
  if (init.recoverFromPeers !== true || !identity.groupIds.includes(groupId)) return undefined;
  const fileSystem = init.fileSystem ?? nodeFileSystem;
  const environment = init.environment ?? nodeEnvironment;
  const damaged = findDamage(init, fileSystem);
  if (damaged === undefined) return undefined;
  const onFailure = (error: Error): void => {
    onEvent({ type: "failed", error });
  };
  const place = { damaged, groupId, nodeId, addresses, environment, onEvent, onDone };
  try {
    return new LogRecovery({ ...place, transport: foundedTransport(init, onFailure) });
  } catch (error) {
    damaged.close();
    throw error;
  }
}

/** What it reads at the end of the log is synced, which may fail as any sync. */
function findDamage(init: NotePlaceInit, fileSystem: FileSystem): DamagedLog | undefined {
  try {
    return DamagedLog.find(fileSystem, logDirectory(init));
  } catch (error) {
    throw error instanceof Error ? withLossNoted(init, error) : error;
  }
}

/** @throws LogError, SnapshotError, ReplicaError for whatever is wrong with what is on the disk. */
export function openGroup(init: GroupInit): OpenGroup {
  const environment = init.environment ?? nodeEnvironment;
  // Set before this returns, and a failure is told of only after that.
  const opening: { replica?: Replica; note?: FlushNote } = {};
  let hasFailed = false;
  const onFailure = (error: Error): void => {
    hasFailed = true;
    opening.replica?.fail(withLossNoted(init, error));
  };
  // What is open already is let go of if the rest fails, the last first.
  const release: (() => void)[] = [];
  try {
    const log = openLog(init, environment, {
      onFailure,
      onLateSync: (outcome) => {
        noteLateSync(init, opening.note, outcome);
      },
    });
    release.push(() => {
      log.close(() => undefined);
    });
    const snapshots = SnapshotStore.open({
      fileSystem: init.fileSystem ?? nodeFileSystem,
      directory: groupDirectory(init.directory, init.groupId),
      clusterId: init.clusterId,
      groupId: init.groupId,
      reserveBytes: init.tuning.segmentBytes,
      onFailure,
    });
    release.push(() => {
      snapshots.close();
    });
    syncGroupDirectory(init);
    const transport = foundedTransport(init, onFailure);
    release.push(() => {
      transport.detach();
    });
    const kept = openCheckpoint(init, {
      onFailure,
      onDurable: () => {
        opening.replica?.wantTurn();
      },
    });
    release.push(() => {
      kept?.checkpoint.close(() => undefined);
    });
    const note = openNote(init, environment);
    opening.note = note;
    const replica = openReplica(init, { environment, log, snapshots, transport, kept, note });
    opening.replica = replica;
    return {
      replica,
      close: (onClosed) => {
        snapshots.close();
        closeCheckpoint(replica, kept, () => {
          // Last: as long as it is open, nobody else may have this directory.
          log.close(() => {
            // Without it the node is taken for suspect next time: to catch up once more is no harm.
            if (!hasFailed) attempt(() => note.onClosed());
            onClosed();
          });
        });
      },
    };
  } catch (error) {
    for (const letGo of release.toReversed()) letGo();
    throw error instanceof Error ? withLossNoted(init, error) : error;
  }
}

/** Has the next life know if this failure may have cost what was acknowledged, and not synced. */
function withLossNoted(init: NotePlaceInit, error: Error): Error {
  if (!(error instanceof LogError) || !error.hasLostWrites) return error;
  const isNoted = attempt(() => {
    noteSyncFailed(notePlace(init));
  });
  if (isNoted) return error;
  return LogError.extending(
    error,
    "In flush mode async it may have lost what it acknowledged, and that cannot be noted: boot " +
      "the machine before this node is started again, or replace it",
  );
}

/** What cannot be noted leaves the node suspect next time, or what was noted before. */
function noteLateSync(init: GroupInit, note: FlushNote | undefined, outcome: LateSync): void {
  attempt(() => {
    if (outcome === "lost") noteSyncFailed(notePlace(init));
    else note?.onSyncKept();
  });
}

type NotePlaceInit = Pick<GroupInit, "directory" | "groupId" | "fileSystem">;

function notePlace({
  directory,
  groupId,
  fileSystem = nodeFileSystem,
}: NotePlaceInit): FlushNotePlace {
  return { fileSystem, directory: groupDirectory(directory, groupId) };
}

/** @returns whether it was noted. */
function attempt(toNote: () => void): boolean {
  try {
    toNote();
    return true;
  } catch (error) {
    if (error instanceof InvariantViolation) throw error;
    return false;
  }
}

/** Finds out what the host may have cost, and says so. */
function openNote(init: GroupInit, environment: Environment): FlushNote {
  const { directory, groupId, flush, acceptLoss, onEvent } = init;
  const note = new FlushNote({
    fileSystem: init.fileSystem ?? nodeFileSystem,
    directory: groupDirectory(directory, groupId),
    bootId: environment.bootId(),
    isAsync: flush?.mode === "async",
    acceptLoss: acceptLoss === true,
  });
  if (note.isLossAccepted) onEvent({ type: "lossAccepted" });
  if (note.loss?.isSuspect === true) onEvent({ type: "suspect" });
  return note;
}

function openReplica(
  init: GroupInit,
  parts: Pick<ReplicaInit, "environment" | "snapshots" | "transport" | "kept"> & {
    readonly log: SegmentLogStore;
    readonly note: FlushNote;
  },
): Replica {
  const { machine, onEvent, tuning } = init;
  const { note } = parts;
  const scrub = { bytesPerSecond: tuning.scrubBytesPerSecond, restMs: tuning.scrubEveryMs };
  const recoverFromPeers = init.recoverFromPeers === true;
  return new Replica({
    ...parts,
    flushNote: {
      loss: note.loss,
      mayLack: note.mayLack,
      onCleared: (loss) => {
        note.onCleared(loss);
        onEvent({ type: "suspicionCleared" });
      },
    },
    care: { sealed: parts.log.sealed, recoverFromPeers, scrub },
    nodeId: init.nodeId,
    incarnation: init.identity.incarnation,
    groupId: init.groupId,
    raft: raftOptions(init),
    timing: { tickMs: TICK_MS, stallMs: STALL_MS },
    limits: tuning,
    snapshotBytesPerSecond: tuning.snapshotBytesPerSecond,
    addresses: init.addresses,
    machine:
      machine === undefined ? undefined : watchedMachine(machine, parts.environment, onEvent),
    onEvent,
    onTurn: init.onTurn,
  });
}

function openCheckpoint(
  init: GroupInit,
  callbacks: { onDurable: () => void; onFailure: (error: Error) => void },
): OpenCheckpoint | undefined {
  const { checkpoint, clusterId, groupId, nodeId, identity } = init;
  if (checkpoint === undefined) return undefined;
  const position = checkpoint.open({
    directory: groupDirectory(init.directory, groupId),
    clusterId,
    groupId,
    nodeId,
    incarnation: identity.incarnation,
    ...callbacks,
    onDamaged: (error) => {
      init.onEvent({ type: "checkpointDamaged", error });
    },
  });
  return { checkpoint, position };
}

/** With the state as it is now, so that the next start has nothing to apply; unless it failed. */
function closeCheckpoint(
  replica: Replica,
  kept: OpenCheckpoint | undefined,
  onClosed: () => void,
): void {
  if (kept === undefined) {
    onClosed();
    return;
  }
  if (replica.failure() === undefined) replica.keeper.checkpoint();
  kept.checkpoint.close(onClosed);
}

/** Its folders are there, and their names may not be on the disk: see `openNode`. */
function syncGroupDirectory({ directory, groupId, fileSystem = nodeFileSystem }: GroupInit): void {
  fileSystem.syncDirectory(groupDirectory(directory, groupId));
}

/** For frames of the founding that this node holds to, or of the first one that it learns of. */
function foundedTransport(
  init: Pick<GroupInit, "directory" | "groupId" | "onEvent" | "transport" | "fileSystem">,
  onFailure: (error: Error) => void,
): FoundedTransport {
  const { directory, groupId, onEvent, transport } = init;
  const fileSystem = init.fileSystem ?? nodeFileSystem;
  const noted = readNodeIdentity(fileSystem, directory);
  return new FoundedTransport({
    transport,
    digest: noted === undefined ? undefined : foundingOf(noted, groupId)?.digest,
    note: (digest) => {
      updateNodeIdentity(fileSystem, directory, (now) =>
        withFounding(now, { groupId, digest, founders: [] }),
      );
    },
    onFailure,
    onForeign: (from) => {
      onEvent({ type: "foreignFrame", from });
    },
  });
}

function openLog(
  init: GroupInit,
  environment: Environment,
  callbacks: Pick<SegmentLogInit, "onFailure" | "onLateSync">,
): SegmentLogStore {
  const { nodeId, groupId, identity, tuning } = init;
  const fileSystem = init.fileSystem ?? nodeFileSystem;
  const directory = logDirectory(init);
  const { clusterId, incarnation } = identity;
  const { segmentBytes, tailBytesMax } = tuning;
  const place = {
    fileSystem,
    directory,
    identity: { clusterId, groupId, nodeId, incarnation },
    options: parseLogOptions({ segmentBytes, tailBytesMax }),
  };
  if (!identity.groupIds.includes(groupId)) {
    makeLog(init, place, environment.random());
    updateNodeIdentity(fileSystem, init.directory, (noted) => {
      const groupIds = [...new Set([...noted.groupIds, groupId])];
      return noteDigest(init, { ...noted, groupIds });
    });
  }
  const { flush } = init;
  const after = (delayMs: number, run: () => void): (() => void) => environment.after(delayMs, run);
  const log = { ...place, ...callbacks, after };
  try {
    if (flush?.mode !== "async") return SegmentLogStore.open(log);
    const { intervalMs, bytes } = flush;
    return SegmentLogStore.open({ ...log, flush: { intervalMs, bytes, after } });
  } catch (error) {
    throw error instanceof LogError ? withAdvice(error, init) : error;
  }
}

function logDirectory({ directory, groupId }: Pick<GroupInit, "directory" | "groupId">): string {
  return join(groupDirectory(directory, groupId), "log");
}

function withAdvice(error: LogError, { recoverFromPeers }: GroupInit): LogError {
  const isDamage = error.code === "LOG_CORRUPT" || error.code === "LOG_SEGMENT_MISSING";
  if (!isDamage || recoverFromPeers === true) return error;
  return LogError.extending(
    error,
    "Open it with recoverFromPeers: true, and what is lacking comes from the other nodes; " +
      "if that is refused, replace the node",
  );
}

/** Makes the group's log; a crash may have come between that and the note that it was made. */
function makeLog(init: GroupInit, place: LogPlace, salt: number): void {
  if (init.ifMissing === "fail")
    throw new ReplicaError(
      "INVALID_ARGUMENT",
      `directory: there is no log in ${place.directory}. If the node is new in group ` +
        `${init.groupId}, say ifMissing: "found" or "join"`,
    );
  try {
    createLog(place, { base: firstBase(init), salt });
  } catch (error) {
    if (!(error instanceof LogError) || error.code !== "LOG_EXISTS") throw error;
  }
}

function firstBase(init: GroupInit): LogBase {
  const founders = foundersOf(init);
  return founders === undefined ? joiningBase() : foundingBase(founders);
}

/** Whom the group begins with; `undefined` for a node that is added to it. */
function foundersOf({ ifMissing, founding, addresses }: GroupInit): readonly Member[] | undefined {
  if (ifMissing !== "found" || founding?.kind === "member") return undefined;
  if (founding !== undefined) return founding.founders;
  return [...addresses.keys()].map((id) => ({ id, incarnation: FOUNDER_INCARNATION }));
}

/** A node that is added to the group may not know yet which founding it is of. */
function noteDigest(init: GroupInit, noted: NodeIdentity): NodeIdentity {
  const { groupId, founding } = init;
  const founders = foundersOf(init) ?? [];
  const learned = founding?.kind === "member" ? founding.digest : undefined;
  const digest = founders.length > 0 ? foundingDigest(founders) : learned;
  return digest === undefined ? noted : withFounding(noted, { groupId, digest, founders });
}
