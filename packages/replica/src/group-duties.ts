/**
 * What a node does for its group without being asked: once a second it looks after its disk and
 * says how that is; a leader has the state kept, the log trimmed, and hands over where it should.
 */

import { allMembers } from "@quorumlog/raft";
import type { CommandDraft } from "./container.ts";
import type { Environment } from "./environment.ts";
import {
  type Crowd,
  crowdedTarget,
  crowdOf,
  isMarkerDue,
  MARKER_DRAFT,
  type RetentionPolicy,
  trimDraft,
  trimTarget,
} from "./leader-duties.ts";
import { LeadershipCare } from "./leadership-care.ts";
import { type HealthReport, NodeHealth } from "./node-health.ts";
import type { Replica } from "./replica.ts";
import type { ReplicaEventListener } from "./replica-event.ts";
import type { ReplicaTuning } from "./replica-options.ts";
import { SuspicionWatch } from "./suspicion-watch.ts";

export interface GroupDutiesInit {
  readonly nodeId: number;
  readonly replica: Replica;
  readonly environment: Environment;
  readonly tuning: ReplicaTuning;
  readonly retention: RetentionPolicy;
  readonly preferredLeaders: readonly number[];
  /** The newest that this node's state machine knows. */
  readonly rulesVersion: number;
  /** Room on the disk. */
  readonly freeBytes: () => number;
  /** Of the disk, used or not. */
  readonly totalBytes: () => number;
  readonly onEvent: ReplicaEventListener;
  /** Calls back once it is settled, however that ended. */
  readonly submit: (draft: CommandDraft, onSettled: () => void) => void;
}

/** Room on a disk. */
export interface DiskStatus {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Of free room: with less it is full, and when it is, it stays so until there is that much. */
  readonly neededBytes: number;
  /** It has too little room: what is appended is refused. */
  readonly isFull: boolean;
}

const LOOK_MS = 1_000;
/** Of the reserve: when so much was appended, the disk is looked at without waiting for that. */
const LOOK_SHARE = 0.25;
/** To look costs a call to the system. */
const LOOK_BYTES_MIN = 64 * 1024;
/** Of what lies between two snapshots: less does not make one due, or a trim, that matters. */
const CONSIDER_SHARE = 1 / 64;
/** Leaders change, and their clocks differ a little. */
const LOG_AHEAD_MS_MAX = 30_000;
/** A member that is behind for longer is not worth the room. */
const HOLD_MS = 600_000;

export class GroupDuties {
  readonly #init: GroupDutiesInit;
  readonly #health: NodeHealth;
  readonly #care: LeadershipCare;
  readonly #suspicion = new SuspicionWatch();
  #own: HealthReport;
  /** Of this node's disk, when it was last looked at. */
  #crowd: Crowd = { excessBytes: 0, totalBytes: 0 };
  /** Whether the log may be trimmed for a disk's sake: once, until its files are gone. */
  #mayMakeRoom = false;
  #freeBytes = 0;
  #isProposing = false;
  /** Of the log, at the end of the last turn. */
  #seenBytes = -1;
  /** Of the log, when it was last looked at whether anything is due. */
  #consideredBytes = -Infinity;
  /** Of the log, when the disk was last looked at. */
  #lookedBytes = 0;
  /** Since when trims wait for a member that is behind. */
  #heldSince: number | undefined;
  #isBaseDamaged = false;
  #clockTrouble: "clockAhead" | "logTimeAhead" | undefined;
  #cancel: () => void = () => undefined;

  constructor(init: GroupDutiesInit) {
    const { tuning, preferredLeaders } = init;
    this.#init = init;
    this.#health = new NodeHealth({
      reserveBytes: tuning.diskReserveBytes,
      fullPercent: tuning.diskFullPercent,
      slowMs: tuning.slowDiskMs,
    });
    this.#care = new LeadershipCare(preferredLeaders);
    this.#own = this.#check();
    if (this.#own.isFull) this.#sayDisk();
    init.replica.peers.tellHealth(this.#own);
    this.#lookLater();
  }

  /** Of this node. */
  get disk(): DiskStatus {
    const { totalBytes } = this.#crowd;
    const neededBytes = this.#health.bytesNeeded;
    return { freeBytes: this.#freeBytes, totalBytes, neededBytes, isFull: this.#own.isFull };
  }

  /** Whose disk has too little room for more; this node's own id, if it is its own. */
  fullDisk(): number | undefined {
    // A burst between two looks may pass any mark: so what it writes counts, too.
    if (!this.#own.isFull && !this.#hasRoom()) this.#look();
    if (this.#own.isFull || !this.#hasRoom()) return this.#init.nodeId;
    return this.#memberWith(({ isFull }) => isFull);
  }

  /** The same for what may use the room that is kept free. */
  exhaustedDisk(): number | undefined {
    if (!this.#health.hadReserveFor(this.#newBytes())) this.#look();
    if (!this.#health.hadReserveFor(this.#newBytes())) return this.#init.nodeId;
    return this.#memberWith(({ isExhausted }) => isExhausted);
  }

  #memberWith(isSo: (report: HealthReport) => boolean): number | undefined {
    for (const [peer, report] of this.#init.replica.peers.healthReports)
      if (isSo(report)) return peer;
    return undefined;
  }

  /** After each turn of the replica. */
  onTurn(): void {
    const { logBytes } = this.#init.replica.keeper.state;
    // Between two looks a second apart, only what was applied can make anything due.
    if (logBytes === this.#seenBytes) return;
    this.#seenBytes = logBytes;
    const { diskReserveBytes, snapshotEveryBytes } = this.#init.tuning;
    const share = diskReserveBytes * LOOK_SHARE;
    if (logBytes - this.#lookedBytes > Math.max(share, LOOK_BYTES_MIN)) this.#look();
    // A log that begins anew, by a snapshot, may be shorter.
    const newBytes = Math.abs(logBytes - this.#consideredBytes);
    if (newBytes >= snapshotEveryBytes * CONSIDER_SHARE) this.#propose();
  }

  #propose(): void {
    const { replica, retention, tuning, submit } = this.#init;
    const { state } = replica.keeper;
    this.#consideredBytes = state.logBytes;
    if (this.#isProposing || replica.status().role !== "leader") return;
    const now = replica.clock.time();
    const isDue = isMarkerDue(state, tuning.snapshotEveryBytes, { policy: retention, now });
    // One at a time, and none that would find no room: it is due still when that has changed.
    const isPossible = isDue && !replica.keeper.isWritingSnapshot && this.fullDisk() === undefined;
    const heldIndex = this.#heldIndex();
    const target = trimTarget(state, retention, { now, heldIndex }) ?? this.#roomTarget(heldIndex);
    if (!isPossible && target === undefined) return;
    this.#isProposing = true;
    // One that fails is of no consequence: it is due again, here or on the next leader.
    submit(isPossible ? MARKER_DRAFT : trimDraft(target as number), () => {
      this.#isProposing = false;
      // A trim may be due behind a marker, and more to trim behind a trim.
      this.#seenBytes = -1;
      this.#consideredBytes = -Infinity;
    });
  }

  /** For a disk of the group that is more used than the retention allows. */
  #roomTarget(heldIndex: number): number | undefined {
    if (!this.#mayMakeRoom) return undefined;
    this.#mayMakeRoom = false;
    const isOthers = this.#memberWith(({ isCrowded }) => isCrowded) !== undefined;
    const { excessBytes, totalBytes } = this.#crowd;
    // How much it is for another one is not known: then it is a stretch at a time.
    if (excessBytes <= 0 && !isOthers) return undefined;
    const crowd = { excessBytes: Math.max(1, excessBytes), totalBytes };
    const offset = crowdedTarget(this.#init.replica.keeper.state, crowd, heldIndex);
    if (offset !== undefined) this.#init.onEvent({ type: "trimmedForRoom", offset });
    return offset;
  }

  /**
   * How far every member is that is there. What it needs next is not trimmed away, or it would need
   * one snapshot after another; but not for ever, and not on a full disk.
   */
  #heldIndex(): number {
    const { replica, environment } = this.#init;
    const { appliedIndex } = replica.keeper;
    const lowest = this.#lowestIndex();
    const { startIndex } = replica.keeper.state;
    const isHeld = lowest < (replica.keeper.state.markers.at(-1)?.index ?? startIndex);
    if (!isHeld) this.#heldSince = undefined;
    else this.#heldSince ??= environment.now();
    const isTooLong = environment.now() - (this.#heldSince ?? environment.now()) >= HOLD_MS;
    return isTooLong || this.fullDisk() !== undefined ? appliedIndex : lowest;
  }

  /** How far the last member is that is there. */
  #lowestIndex(): number {
    const { replica } = this.#init;
    const { appliedIndex } = replica.keeper;
    // Who is there is asked anew each election timeout; a transfer under way says so, too.
    const behind = replica.progress().filter(({ state, recentActive, matchIndex }) => {
      return (recentActive || state === "snapshot") && matchIndex < appliedIndex;
    });
    return Math.min(appliedIndex, ...behind.map(({ matchIndex }) => matchIndex));
  }

  /**
   * Whether a trim up to `offset` takes away what a member that is there needs next: it would have
   * to be given another snapshot.
   */
  wouldCutOff(offset: number): boolean {
    const { markers, startIndex } = this.#init.replica.keeper.state;
    const target = markers.findLast((marker) => marker.offset <= offset)?.index ?? 0;
    if (target <= startIndex || this.fullDisk() !== undefined) return false;
    return this.#lowestIndex() < target;
  }

  /**
   * The newest rules that every member knows, learners too, as it says while it is connected;
   * 0 as long as one has said nothing. A moment later an older program may run there: so what is
   * written by these rules begins with a record that such a program stops in front of.
   */
  commonRules(): number {
    const { replica, nodeId, rulesVersion } = this.#init;
    const { healthReports: reports } = replica.peers;
    const others = allMembers(replica.keeper.configuration).filter(({ id }) => id !== nodeId);
    const known = others.map(({ id }) => {
      const isThere = replica.peers.incarnationOf(id) !== undefined;
      return isThere ? (reports.get(id)?.rulesVersion ?? 0) : 0;
    });
    return Math.min(rulesVersion, ...known);
  }

  stop(): void {
    this.#cancel();
  }

  #lookLater(): void {
    this.#cancel = this.#init.environment.after(LOOK_MS, () => {
      if (!this.#init.replica.isOpen()) return;
      this.#lookLater();
      this.#init.replica.guarded(() => {
        this.#look();
        this.#mayMakeRoom = true;
        this.#lookAtClock();
        this.#init.replica.peers.tellHealth(this.#own);
        this.#takeCare();
        this.#lookForSuspects();
        this.#propose();
      });
    });
  }

  /** What is worse than before is told at once; the rest, with the next second. */
  #look(): void {
    const { replica } = this.#init;
    replica.guarded(() => {
      const before = this.#own;
      this.#own = this.#check();
      if (this.#own.isFull === before.isFull) return;
      this.#sayDisk();
      if (this.#own.isFull) replica.peers.tellHealth(this.#own);
    });
  }

  #sayDisk(): void {
    const { isFull, ...space } = this.disk;
    this.#init.onEvent({ type: isFull ? "diskFull" : "diskRelieved", ...space });
  }

  #check(): HealthReport {
    const { replica, environment, retention, rulesVersion } = this.#init;
    const space = { freeBytes: this.#init.freeBytes(), totalBytes: this.#init.totalBytes() };
    const { hasBaseSnapshot, snapshotBytes, state, isCatchingUp } = replica.keeper;
    this.#lookedBytes = state.logBytes;
    const lagMs = replica.disk.lagMs();
    const isSuspect = replica.status().loss?.isSuspect === true;
    this.#lookAtBase(hasBaseSnapshot);
    // What was trimmed and is not gone yet will make room by itself.
    const isTrimmed = replica.log.base().index >= state.startIndex;
    const excessBytes = isTrimmed ? crowdOf(retention, space).excessBytes : 0;
    this.#crowd = { excessBytes, totalBytes: space.totalBytes };
    this.#freeBytes = space.freeBytes;
    return this.#health.check(environment.now(), {
      ...space,
      excessBytes,
      lagMs,
      snapshotBytes,
      hasBaseSnapshot,
      isLogDamaged: replica.care.isDamaged(),
      isSuspect,
      isCatchingUp,
      rulesVersion,
    });
  }

  /** Even for what was appended since the last look, and waits to be. */
  #hasRoom(): boolean {
    return this.#health.hadRoomFor(this.#newBytes());
  }

  #newBytes(): number {
    const { keeper, proposals } = this.#init.replica;
    return keeper.state.logBytes - this.#lookedBytes + proposals.pendingBytes;
  }

  /** Says once what is wrong with the time, and once more when something else is. */
  #lookAtClock(): void {
    const { replica, environment, onEvent } = this.#init;
    const aheadMs = replica.clock.aheadMs();
    const logAheadMs = replica.keeper.state.time - environment.wallTime();
    const isLeader = replica.status().role === "leader";
    const trouble =
      isLeader && aheadMs > 0
        ? "clockAhead"
        : isLeader && logAheadMs > LOG_AHEAD_MS_MAX
          ? "logTimeAhead"
          : undefined;
    const isNew = trouble !== this.#clockTrouble;
    this.#clockTrouble = trouble;
    if (trouble === undefined || !isNew) return;
    const milliseconds = trouble === "clockAhead" ? aheadMs : Math.round(logAheadMs);
    onEvent({ type: trouble, milliseconds });
  }

  /** Says once that it is damaged; of the log itself, whoever met the damage tells. */
  #lookAtBase(isWhole: boolean): void {
    const isNews = !isWhole && !this.#isBaseDamaged;
    this.#isBaseDamaged = !isWhole;
    const { index } = this.#init.replica.log.base();
    if (isNews) this.#init.onEvent({ type: "baseDamaged", index });
  }

  #lookForSuspects(): void {
    const { replica, nodeId, onEvent } = this.#init;
    const { leaderId, configuration } = replica.status();
    const { healthReports: reports } = replica.peers;
    const own = this.#own;
    const nodeIds = this.#suspicion.look({ nodeId, leaderId, configuration, own, reports });
    if (nodeIds !== undefined) onEvent({ type: "majoritySuspect", nodeIds });
  }

  #takeCare(): void {
    const { replica, nodeId } = this.#init;
    const { role, commitIndex, transferee } = replica.status();
    if (role !== "leader") {
      this.#care.forget();
      return;
    }
    if (transferee !== undefined) return;
    const heir = this.#care.look({
      nodeId,
      commitIndex,
      progress: replica.progress(),
      own: this.#own,
      reports: replica.peers.healthReports,
    });
    if (heir !== undefined) replica.transferLeadership(heir);
  }
}
