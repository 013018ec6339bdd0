/** A state machine that every node of a group has a copy of, kept equal by the log. */

import { demandAppended, demandPlace, demandRecords } from "./append-outcome.ts";
import {
  type AppendedAt,
  demandDurability,
  type Durability,
  needsQuorum,
  type Reached,
  reachedBy,
} from "./append-call.ts";
import { recordsDraft } from "./command-drafts.ts";
import type { FlushMode } from "./flush-mode.ts";
import type { RetentionPolicy } from "./leader-duties.ts";
import type { Machine } from "./machine.ts";
import { PromisedCall, type PromisedCallInit } from "./promised-call.ts";
import { demandMachine, demandNodeOptions } from "./node-option-problems.ts";
import { type NodeOptions, type NodeParts, openNodeParts } from "./node-options.ts";
import type { LogRecord, ReadResult } from "./record-reader.ts";
import { ReplicaError } from "./replica-error.ts";
import { type MachineRetention, parseMachineRetention, parseTuning } from "./replica-options.ts";
import { type CallOptions, ReplicatedGroup, type WriteOptions } from "./replicated-group.ts";
import { type ReadOptions, RetainedLog, type TailOptions } from "./retained-log.ts";

export interface MachineOptions extends NodeOptions {
  /**
   * How much of the log is kept. `compact`: what the newest snapshots do not cover. `keep`:
   * everything, until `trim`. Limits: what is beyond either is forgotten; `bytes`: at least a
   * segment, and `snapshotEveryBytes`; `milliseconds`: at least 1000; `diskPercent`: of a disk's
   * use, in `[1, 99]`, and of a disk that others fill 1 GiB of the log is left, or a twentieth of
   * the disk. Unless it is `compact`, the
   * log is content of its own: it can be read, and a new node gets all of it. The same on all
   * nodes; default `compact`.
   */
  readonly retention?: MachineRetention;
}

export interface ExecuteOptions extends WriteOptions {
  /** Makes a repetition safe: the same session and number give the same answer. */
  readonly session?: { readonly sessionId: number; readonly sequence: number };
}

export interface SubmitOptions extends ExecuteOptions {
  /** Default `quorum`. With less, what becomes of the commands is not waited for. No session. */
  readonly durability?: Durability;
}

/** Where the entry of a call is: if the call was a repetition, its own, and not the first one's. */
interface CommandsPlace {
  readonly index: number;
  readonly term: number;
  /** Of its records as they are read: when the leader took them in, milliseconds since 1970. */
  readonly timestamp: number;
}

/** Commands that a majority has on its disks, and that are applied here. */
export interface CommandsApplied extends CommandsPlace {
  readonly durability: "quorum";
  readonly reached: "synced" | "written";
  /** What the state machine answered here, a value for each command. */
  readonly values: readonly Uint8Array[];
  /** Of the first command, in the log. */
  readonly offset: number;
  /** They had been applied before, by an earlier attempt within the session. */
  readonly isDuplicate: boolean;
}

/** Commands on their way: they are applied later, or lost with this leader. */
export interface CommandsAccepted extends CommandsPlace {
  readonly durability: "leader" | "async";
  readonly reached: Reached;
  readonly values: undefined;
  readonly offset: undefined;
  readonly isDuplicate: false;
}

type Answer<T> = PromisedCallInit<T>["answer"];

const NO_SESSION = { sessionId: 0, sequence: 0 };
const SESSION_IDLE_MS = 3_600_000;

/**
 * Its log is kept as far back as the last snapshots of the state need it; or as `retention` says.
 *
 * To read: `await readBarrier()`, then look into the state machine, which is this process's own
 * copy. Without the barrier it is that of some moment not long ago.
 */
export class ReplicatedStateMachine extends ReplicatedGroup {
  readonly #callBytesMax: number;
  readonly #flush: FlushMode | undefined;
  readonly #isCompacted: boolean;
  readonly #retained: RetainedLog;

  private constructor({ init, close }: NodeParts, retention: RetentionPolicy) {
    super(init, retention, close);
    this.#callBytesMax = init.tuning.callBytesMax;
    this.#flush = init.flush;
    this.#isCompacted = retention === "compact";
    this.#retained = new RetainedLog({
      replica: this.replica,
      waits: this.waits,
      demandReadable: () => {
        this.demandOpen();
        if (this.#isCompacted) throw compacted();
      },
      readBarrier: (options) => this.readBarrier(options),
      trimTo: (offset, options) => this.trimTo(offset, options),
    });
  }

  /**
   * Opens this node's replica, and brings the state machine to where its log says it was.
   *
   * @throws ReplicaOptionsError, ReplicaError, LogError, SnapshotError, TransportError
   */
  static async open(options: MachineOptions, machine: Machine): Promise<ReplicatedStateMachine> {
    demandMachine(machine);
    demandNodeOptions(options, "machine");
    const retention = parseMachineRetention(options.retention, parseTuning(options.tuning));
    const parts = await openNodeParts(options, machine);
    try {
      return new ReplicatedStateMachine(parts, retention);
    } catch (error) {
      await parts.close?.();
      throw error;
    }
  }

  /**
   * Executes one command on every replica.
   *
   * @param command - Borrowed: do not write to it before the promise is settled.
   * @returns what the state machine answered here, once a majority has the command on its disks.
   * @throws ReplicaError with `outcome`: `not-applied`, or `unknown`
   */
  async execute(command: Uint8Array, options: ExecuteOptions = {}): Promise<Uint8Array> {
    const [value] = await this.executeAll([command], options);
    return value as Uint8Array;
  }

  /** Executes commands one after another, with nothing of anybody else's between. */
  executeAll(
    commands: readonly Uint8Array[],
    options: ExecuteOptions = {},
  ): Promise<readonly Uint8Array[]> {
    return this.#submit(commands, options, "quorum", valuesOf);
  }

  /**
   * As {@link executeAll}, and tells where the commands are, besides; or waits for less, and then
   * there are no values: what is decided as a command is applied is not known yet.
   *
   * @throws ReplicaError with `outcome`: `not-applied`, or `unknown`
   */
  submitAll(
    commands: readonly Uint8Array[],
    options?: SubmitOptions & { readonly durability?: "quorum" },
  ): Promise<CommandsApplied>;
  submitAll(
    commands: readonly Uint8Array[],
    options: SubmitOptions,
  ): Promise<CommandsApplied | CommandsAccepted>;
  submitAll(
    commands: readonly Uint8Array[],
    options: SubmitOptions = {},
  ): Promise<CommandsApplied | CommandsAccepted> {
    return this.#submit(commands, options, options.durability ?? "quorum", this.#ack);
  }

  /**
   * Reads the commands that are committed and applied here, from an offset on, as
   * `ReplicatedLog.read` does.
   *
   * @throws ReplicaError `TRIMMED`, `CLOSED`, `FAILED`; `INVALID_ARGUMENT`, too, if the log is
   *   compacted; LogError `LOG_CORRUPT` for what is damaged
   */
  read(from: number, options: ReadOptions = {}): ReadResult {
    return this.#retained.read(from, options);
  }

  /**
   * @returns an offset that has about so many bytes of the log behind it, to a MiB or so; 0 if the
   *   log has no more than that.
   */
  offsetBefore(bytes: number): number {
    return this.replica.keeper.state.offsets.before(bytes);
  }

  /** Reads on and on, and waits at the end for more, as `ReplicatedLog.tail` does. */
  tail(from: number, options: TailOptions = {}): AsyncGenerator<LogRecord, void, void> {
    return this.#retained.tail(from, options);
  }

  /**
   * Forgets the commands before an offset, as `ReplicatedLog.trim` does: their bytes are freed up
   * to the last snapshot of the state before it.
   */
  trim(before: number, options: CallOptions = {}): Promise<void> {
    return this.#retained.trim(before, options);
  }

  /**
   * Opens a session: number its commands 1, 2, 3, ..., at most 5 of them under way.
   *
   * @returns its id, good on every node.
   */
  async openSession(
    options: CallOptions & { readonly idleMs?: number } = {},
  ): Promise<{ readonly sessionId: number }> {
    const { idleMs = SESSION_IDLE_MS } = options;
    return { sessionId: await this.openSessionFor(idleMs, options) };
  }

  #submit<T>(
    commands: readonly Uint8Array[],
    options: ExecuteOptions,
    durability: Durability,
    answer: Answer<T>,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const { session } = options;
      demandRecords("commands", commands, this.#callBytesMax);
      demandDurability(durability);
      if (session !== undefined) {
        demandPlace(session);
        if (durability !== "quorum") throw needsQuorum("a session");
      }
      const draft = recordsDraft(commands, session ?? NO_SESSION, -1);
      this.submit(new PromisedCall({ draft, durability, resolve, reject, answer }), options);
    });
  }

  /** One for all calls. */
  readonly #ack: Answer<CommandsApplied | CommandsAccepted> = (at, { durability }) => {
    const { index, term, timestamp } = at;
    const place = { index, term, timestamp };
    if (durability === "quorum") {
      const { values, offset, isDuplicate } = demandAppended(at.result, -1);
      const reached = reachedBy(durability, this.#flush);
      return { durability, reached, values, offset, ...place, isDuplicate };
    }
    const reached = reachedBy(durability, this.#flush);
    const nothing = { values: undefined, offset: undefined };
    return { durability, reached, ...nothing, ...place, isDuplicate: false };
  };
}

function valuesOf({ result }: AppendedAt): readonly Uint8Array[] {
  return demandAppended(result, -1).values;
}

function compacted(): ReplicaError {
  const message = "the log is compacted to snapshots: open the state machine with a retention";
  return new ReplicaError("INVALID_ARGUMENT", `retention: ${message}`);
}
