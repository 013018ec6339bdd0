/** A state machine that every node of a group has a copy of, kept equal by the log. */

import { demandAppended, demandPlace, demandRecords } from "./append-outcome.ts";
import type { AppendedAt } from "./append-call.ts";
import type { Machine } from "./machine.ts";
import { PromisedCall } from "./promised-call.ts";
import { demandMachine } from "./node-option-problems.ts";
import { type NodeOptions, type NodeParts, openNodeParts } from "./node-options.ts";
import { type CallOptions, recordsDraft, ReplicatedGroup } from "./replicated-group.ts";

export interface ExecuteOptions extends CallOptions {
  /** Makes a repetition safe: the same session and number give the same answer. */
  readonly session?: { readonly sessionId: number; readonly sequence: number };
}

const NO_SESSION = { sessionId: 0, sequence: 0 };
const SESSION_IDLE_MS = 3_600_000;

/**
 * Its log is kept as far back as the last snapshots of the state need it.
 *
 * To read: `await readBarrier()`, then look into the state machine, which is this process's own
 * copy. Without the barrier it is that of some moment not long ago.
 */
export class ReplicatedStateMachine extends ReplicatedGroup {
  readonly #callBytesMax: number;

  private constructor(init: NodeParts["init"], onClose: NodeParts["close"]) {
    super(init, "compact", onClose);
    this.#callBytesMax = init.tuning.callBytesMax;
  }

  /**
   * Opens this node's replica, and brings the state machine to where its log says it was.
   *
   * @throws ReplicaOptionsError, ReplicaError, LogError, SnapshotError, TransportError
   */
  static async open(options: NodeOptions, machine: Machine): Promise<ReplicatedStateMachine> {
    demandMachine(machine);
    const parts = await openNodeParts(options, machine);
    try {
      return new ReplicatedStateMachine(parts.init, parts.close);
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
    return new Promise((resolve, reject) => {
      demandRecords("commands", commands, this.#callBytesMax);
      if (options.session !== undefined) demandPlace(options.session);
      const draft = recordsDraft(commands, options.session ?? NO_SESSION, -1);
      const durability = "quorum";
      const call = new PromisedCall({ draft, durability, resolve, reject, answer: valuesOf });
      this.submit(call, options);
    });
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
}

function valuesOf({ result }: AppendedAt): readonly Uint8Array[] {
  return demandAppended(result, -1).values;
}
