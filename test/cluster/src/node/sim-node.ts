/**
 * One machine with a disk, and the life after life of the real replica on it.
 *
 *     down ──start──> (repairing) ──> up ──stop──> stopping ──┐
 *      ^                  │            ├─ fault of the disk ──┤ failed, until somebody ends it
 *      └── kill, refused ─┴────────────┴──────────────────────┘
 */

import { LogError } from "@quorumlog/log";
import { type OperationEvent, ProcessStopped } from "@quorumlog/log/testing";
import type { Message } from "@quorumlog/raft";
import { type Environment, ReplicaError, type ReplicaEvent } from "@quorumlog/replica";
import {
  type FlushMode,
  type GroupInit,
  openGroup,
  type OpenGroup,
  openNode,
  parseTuning,
  type ReaderLimits,
  recoverGroup,
  RecordReader,
  type Replica,
} from "@quorumlog/replica/testing";
import type { Prng } from "@quorumlog/std";
import type { MemoryNetwork } from "@quorumlog/transport/testing";
import type { EventQueue } from "../engine/event-queue.ts";
import { Violation } from "../engine/violation.ts";
import { Gate } from "./gate.ts";
import { LeaderDuties, type Retention } from "./leader-duties.ts";
import { observedTransport } from "./observed-transport.ts";
import { type DiskFault, SimulatedDisk } from "./simulated-disk.ts";
import { SpyMachine } from "./spy-machine.ts";
import { virtualEnvironment, type WallClock } from "./virtual-environment.ts";

export type CrashKind = "process" | "power";
export type Tuning = ReturnType<typeof parseTuning>;

/** So little that what is kept is let go of again and again. */
const READER_LIMITS: ReaderLimits = {
  opened: { bytesMax: 8_000, countMax: 4 },
  places: { bytesMax: 16_000, countMax: 40 },
  placesCountMin: 2,
  placesBytesMin: 0,
};

/** What is told of a node to those that check. */
export interface NodeWatch {
  onStarted(node: SimNode): void;
  /** Its log was damaged, and could not be repaired. */
  onRefused(node: SimNode, error: Error): void;
  onEnded(node: SimNode, kind: CrashKind): void;
  onApply(node: SimNode, offset: number, records: readonly Uint8Array[]): void;
  onRestore(node: SimNode, nextOffset: number): void;
  onSnapshot(node: SimNode, path: string, bytes: Uint8Array): void;
  onMessage(node: SimNode, message: Message): void;
  onEvent(node: SimNode, event: ReplicaEvent): void;
  onTurn(node: SimNode): void;
  /** Some node asks for a trim up to that offset. */
  onTrim(offset: number): void;
  /** The replica has stopped: whoever waited has an answer. */
  onStopped(node: SimNode): void;
  /** A leader that stops has another one follow it. */
  onHandedOver(node: SimNode): void;
  /** Whether the node may lose what it has not synced, acknowledged or not. */
  mayForget(node: SimNode): boolean;
  onFault(node: SimNode, fault: DiskFault, event: OperationEvent): void;
}

export interface SimNodeInit {
  readonly nodeId: number;
  readonly founders: readonly number[];
  readonly queue: EventQueue;
  readonly prng: Prng;
  readonly network: MemoryNetwork;
  readonly tuning: Tuning;
  readonly retention: Retention | undefined;
  readonly ballastBytes: number;
  readonly snapshotSlowness: number;
  readonly cutChance: number;
  readonly leaseReads: boolean;
  readonly flush: FlushMode;
  readonly recoverFromPeers: boolean;
  readonly watch: NodeWatch;
}

/** What runs, from a start to an end. */
export interface Life {
  readonly number: number;
  readonly incarnation: number;
  /** By the queue. */
  readonly startedAt: number;
  readonly gate: Gate;
  readonly environment: Environment;
  readonly group: OpenGroup;
  readonly replica: Replica;
  readonly reader: RecordReader;
  readonly machine: SpyMachine;
  readonly duties: LeaderDuties;
  /** The disk has failed in this life, so the replica may, too. */
  isDiskFaulty: boolean;
  hasFailed: boolean;
  isStopping: boolean;
}

/** What a life is made of, before it begins. */
interface Parts {
  readonly environment: Environment;
  readonly machine: SpyMachine;
  readonly init: GroupInit;
}

const CLUSTER_ID = "cluster";

export class SimNode {
  readonly nodeId: number;
  readonly init: SimNodeInit;
  readonly clock: WallClock = { offsetMs: 0 };
  disk: SimulatedDisk;
  life: Life | undefined;
  /** Of the disk: how many there were before. */
  diskNumber = 0;
  /** Something is on the disk that must not be lost. */
  isFounded = false;
  #lifeCount = 0;
  /** Of the machine: each loss of power is followed by one. */
  #bootCount = 1;
  #gate: Gate | undefined;
  #crashKind: CrashKind = "process";
  #hasFaultStruck = false;

  constructor(init: SimNodeInit) {
    this.init = init;
    this.nodeId = init.nodeId;
    this.disk = this.#newDisk(init);
  }

  get address(): string {
    return addressOf(this.nodeId);
  }

  get directory(): string {
    return `/node-${this.nodeId}`;
  }

  get isUp(): boolean {
    return this.life !== undefined && !this.life.gate.isOver;
  }

  /** It serves: it runs, and has not failed. */
  get isServing(): boolean {
    const { life } = this;
    return life !== undefined && !life.gate.isOver && life.replica.isOpen();
  }

  /** Whether a process of it is not quite gone. */
  get isGoing(): boolean {
    return this.#gate !== undefined;
  }

  /**
   * Starts its process.
   *
   * @returns what it was refused with at once; `undefined` if it runs, or repairs its log first, or
   *   a planned fault has struck.
   */
  start(ifMissing: "found" | "join" | "fail"): Error | undefined {
    const gate = new Gate(this.init.queue, () => {
      this.#onEnded();
    });
    this.#gate = gate;
    this.disk.gate = gate;
    this.#hasFaultStruck = false;
    this.#crashKind = "process";
    this.#lifeCount += 1;
    return this.#attempt(gate, () => {
      this.#recover(gate, ifMissing);
    });
  }

  /** @returns why it does not start; not if a planned fault has struck. */
  #attempt(gate: Gate, run: () => void): Error | undefined {
    try {
      run();
      return undefined;
    } catch (error) {
      if (error instanceof Violation || !(error instanceof Error)) throw error;
      gate.die();
      return this.#wasStruck() || error instanceof ProcessStopped ? undefined : error;
    }
  }

  /** Ends its process where it stands. */
  kill(kind: CrashKind): void {
    if (this.#gate === undefined || this.#gate.isOver) return;
    this.#crashKind = kind;
    this.#gate.die();
  }

  /** Hands over, if it leads, and closes, as `ReplicatedGroup.close` does. */
  stop(): void {
    const { life } = this;
    if (life === undefined || life.isStopping || life.gate.isOver) return;
    life.isStopping = true;
    life.gate.run(() => {
      const { replica, environment } = life;
      const heir = replica.isOpen() ? life.duties.heir(this.nodeId) : undefined;
      if (heir === undefined || !replica.transferLeadership(heir)) this.#close(life);
      else
        environment.after(this.init.tuning.electionMs, () => {
          this.#close(life);
        });
    });
  }

  /** A new disk in place of the one that there is. */
  wipe(): void {
    this.disk = this.#newDisk(this.disk);
    this.diskNumber += 1;
    this.isFounded = false;
  }

  /** Whether a snapshot of that position is on the disk, whole or damaged. */
  hasSnapshot({ index, term }: { readonly index: number; readonly term: number }): boolean {
    const name = [index, term].map((each) => each.toString(16).padStart(16, "0")).join("-");
    return this.files().some((path) => path.endsWith(`/${name}.snapshot`));
  }

  /** Bytes of the log and of snapshots, which must be on the disk. */
  files(): string[] {
    const group = `${this.directory}/group-0`;
    return this.disk.paths([this.directory, `${group}/log`, `${group}/snapshots`]);
  }

  #close(life: Life): void {
    const reason = new ReplicaError("CLOSED", "the replica was closed");
    life.duties.stop();
    life.replica.stop(reason);
    this.init.watch.onStopped(this);
    life.group.close(() => {
      this.kill("process");
    });
  }

  /** A log that is damaged is repaired before anything else, if peers are to help. */
  #recover(gate: Gate, ifMissing: "found" | "join" | "fail"): void {
    const parts = this.#partsOf(gate, ifMissing);
    const recovery = recoverGroup(parts.init, (error) => {
      const refusal = this.#attempt(gate, () => {
        if (error !== undefined) throw error;
        this.#open(gate, parts);
      });
      if (refusal !== undefined) this.init.watch.onRefused(this, refusal);
    });
    if (recovery === undefined) this.#open(gate, parts);
  }

  #partsOf(gate: Gate, ifMissing: "found" | "join" | "fail"): Parts {
    const { init, nodeId, clock, disk } = this;
    const { queue, watch, tuning } = init;
    const bootId = `boot ${this.#bootCount}`;
    const environment = virtualEnvironment({ queue, gate, clock, prng: init.prng.fork(), bootId });
    const place = {
      directory: this.directory,
      clusterId: CLUSTER_ID,
      nodeId,
      groupId: 0,
      ifMissing,
      fileSystem: disk,
      environment,
    };
    const identity = openNode(place);
    const transport = observedTransport({
      transport: init.network.transport({ nodeId, incarnation: identity.incarnation }),
      gate,
      onMessage: (message) => {
        watch.onMessage(this, message);
      },
    });
    const machine = new SpyMachine({
      ballastBytes: init.ballastBytes,
      covers: coverOf(this.#lifeCount),
      onApply: (offset, records) => {
        watch.onApply(this, offset, records);
      },
      onRestore: (nextOffset) => {
        watch.onRestore(this, nextOffset);
      },
    });
    const ids = init.founders.includes(nodeId) ? init.founders : [...init.founders, nodeId];
    return {
      environment,
      machine,
      init: {
        ...place,
        identity,
        tuning,
        preferredLeaders: [],
        leaseReads: init.leaseReads,
        flush: init.flush,
        recoverFromPeers: init.recoverFromPeers,
        transport,
        machine,
        addresses: new Map(ids.map((id) => [id, addressOf(id)])),
        onEvent: (event) => {
          if (event.type === "failed" && this.life !== undefined) this.life.hasFailed = true;
          if (!gate.isOver) watch.onEvent(this, event);
        },
        onTurn: () => {
          this.#onTurn(gate);
        },
      },
    };
  }

  #open(gate: Gate, { environment, machine, init }: Parts): void {
    const group = openGroup(init);
    const { replica } = group;
    this.life = {
      number: this.#lifeCount,
      incarnation: init.identity.incarnation,
      startedAt: this.init.queue.now(),
      gate,
      environment,
      group,
      replica,
      machine,
      reader: new RecordReader(replica.log, replica.keeper, READER_LIMITS),
      duties: this.#dutiesOf(replica, environment),
      isDiskFaulty: this.#wasStruck(),
      hasFailed: false,
      isStopping: false,
    };
    if (gate.isOver) return;
    this.isFounded = true;
    this.init.watch.onStarted(this);
  }

  #dutiesOf(replica: Replica, environment: Environment): LeaderDuties {
    const { nodeId, disk } = this;
    const { tuning, retention, watch } = this.init;
    return new LeaderDuties({
      nodeId,
      replica,
      environment,
      tuning,
      retention,
      disk,
      onTrim: (offset) => {
        watch.onTrim(offset);
      },
    });
  }

  #onTurn(gate: Gate): void {
    const { life } = this;
    if (life === undefined || gate.isOver) return;
    this.init.watch.onTurn(this);
    const { replica } = life;
    if (life.isStopping && replica.isOpen() && replica.status().role !== "leader") {
      this.init.watch.onHandedOver(this);
      this.#close(life);
    } else if (!life.isStopping) life.duties.onTurn();
  }

  #wasStruck(): boolean {
    return this.#hasFaultStruck;
  }

  #onFault(fault: DiskFault, event: OperationEvent): void {
    this.#hasFaultStruck = true;
    if (this.life !== undefined) this.life.isDiskFaulty = true;
    if (fault === "stop") {
      this.#crashKind = this.init.prng.chance(0.7) ? "power" : "process";
      this.#gate?.die();
    }
    this.init.watch.onFault(this, fault, event);
  }

  #onEnded(): void {
    const isPowerLost = this.#crashKind === "power" && this.init.watch.mayForget(this);
    const kind = isPowerLost ? "power" : "process";
    if (isPowerLost) this.#bootCount += 1;
    this.init.network.kill(this.nodeId);
    this.disk.crash(kind);
    this.init.watch.onEnded(this, kind);
    this.life = undefined;
    this.#gate = undefined;
  }

  /** @param like - What it is like: faults may be over when an old one is replaced. */
  #newDisk(like: Pick<SimulatedDisk, "snapshotSlowness" | "cutChance">): SimulatedDisk {
    const { queue, prng, watch } = this.init;
    const disk = new SimulatedDisk({
      queue,
      prng: prng.fork(),
      onFault: (fault, event) => {
        this.#onFault(fault, event);
      },
      mayForget: () => watch.mayForget(this),
      onSnapshot: (path, bytes) => {
        watch.onSnapshot(this, path, bytes);
      },
    });
    disk.snapshotSlowness = like.snapshotSlowness;
    disk.cutChance = like.cutChance;
    return disk;
  }
}

function addressOf(nodeId: number): string {
  return `10.0.0.${nodeId}:7000`;
}

/** Whether an error says what is wrong with which file. */
export function namesFile(error: Error): boolean {
  const { file } = error as { file?: unknown };
  return error instanceof LogError ? typeof file === "string" : error.message.includes("/node-");
}

/**
 * Files of a machine are behind in some lives: go as far as about every other state, or as none. No
 * chance is drawn for it, so that a seed is what it was.
 */
function coverOf(lifeCount: number): (nextOffset: number) => boolean {
  if (lifeCount % 9 === 0) return () => false;
  if (lifeCount % 3 === 0) return (nextOffset) => nextOffset % 2 === 0;
  return () => true;
}
