/** What the services of a broker's port stand on: its replica, and the state it has applied. */

import { OperationError } from "@quorumlog/protocol";
import type { Command, CommandAnswer } from "@quorumlog/protocol/messages";
import type { Durability, ReplicaEvent, ReplicatedStateMachine } from "@quorumlog/replica";
import { BrokerTraffic } from "./broker-traffic.ts";
import { operationErrorOf } from "./operation-errors.ts";
import type { BrokerMachine } from "./state/broker-machine.ts";
import { commandRecord, parseCommandAnswer } from "./state/command-record.ts";

/** Before it makes sense to ask again who leads. */
const ELECTION_MS = 20;
const MIB = 1024 * 1024;

/** What became of the records of one call. */
export interface Submitted {
  /** One for each; none below `quorum`, where nothing is decided yet. */
  readonly answers: readonly Uint8Array[];
  readonly index: number;
  readonly term: number;
  readonly reached: "synced" | "written" | "memory";
}

export interface SubmitOptions {
  readonly durability?: Durability;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Whether it is taken on a full disk, too; default false. */
  readonly usesReserve?: boolean;
}

export class BrokerGroup {
  readonly groupId: number;
  readonly name: string;
  readonly replica: ReplicatedStateMachine;
  readonly machine: BrokerMachine;
  readonly traffic: BrokerTraffic = new BrokerTraffic();
  /** The term that this node leads in. */
  #reign: number | undefined;
  #begunReign: number | undefined;
  #leaderChanges = 0;
  #refusal: OperationError | undefined;
  #failure: Error | undefined;

  constructor(init: {
    readonly groupId: number;
    readonly name: string;
    readonly replica: ReplicatedStateMachine;
    readonly machine: BrokerMachine;
  }) {
    this.groupId = init.groupId;
    this.name = init.name;
    this.replica = init.replica;
    this.machine = init.machine;
    this.look();
  }

  /** As of the last event: what is asked of who leads no more is refused by the replica itself. */
  get isLeader(): boolean {
    return this.#reign !== undefined;
  }

  /** The term that it leads in, as of the last event; `undefined`: it does not. */
  get reign(): number | undefined {
    return this.#reign;
  }

  /** It leads, and that is in the log: leases are counted from there on. */
  get hasBegun(): boolean {
    return this.#reign !== undefined && this.#begunReign === this.#reign;
  }

  /** Leaders that this node has seen since it was opened. */
  get leaderChanges(): number {
    return this.#leaderChanges;
  }

  /** Why the replica has stopped; `undefined` while it runs. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /**
   * Why the metadata group does not take this group in; `undefined`: it does, or this node does not
   * lead.
   */
  get refusal(): OperationError | undefined {
    return this.#refusal;
  }

  /** @returns whether that is news. */
  onRegistered(refusal: OperationError | undefined): boolean {
    const isNews = refusal?.message !== this.#refusal?.message;
    this.#refusal = refusal;
    return isNews;
  }

  onEvent(event: ReplicaEvent): void {
    if (event.type === "leader" && event.leaderId !== undefined) this.#leaderChanges += 1;
    if (event.type === "failed") this.#failure = event.error;
    this.look();
  }

  /** Something may have happened to the replica. */
  look(): void {
    const { role, term } = this.replica.status();
    this.#reign = role === "leader" ? term : undefined;
  }

  /**
   * Puts into the log that this node leads; whatever was acknowledged before is applied here then.
   *
   * @param address - Where clients reach it, as `host:port`.
   * @throws OperationError if it does so no more, or could not be done in time
   */
  async begin(address: string): Promise<void> {
    const { nodeId } = this.replica.status();
    const record = commandRecord({ beginReign: { nodeId, address } });
    const { term } = await this.submit([record], { usesReserve: true });
    this.#begunReign = term;
  }

  /** @throws OperationError with what became of them */
  async submit(records: readonly Uint8Array[], options: SubmitOptions = {}): Promise<Submitted> {
    try {
      const { values, index, term, reached } = await this.replica.submitAll(records, options);
      return { answers: values ?? [], index, term, reached };
    } catch (error) {
      throw this.operationError(error);
    }
  }

  /**
   * On a full disk, too: consumers go on by such commands, and room is made by them.
   *
   * @throws OperationError: it was not carried out, or what it says itself
   */
  async execute(command: Command.$Properties, options: SubmitOptions = {}): Promise<CommandAnswer> {
    const record = commandRecord(command);
    const { answers } = await this.submit([record], { usesReserve: true, ...options });
    return parseCommandAnswer(answers[0] ?? new Uint8Array());
  }

  /** What is read behind it is linearizable. */
  async readBarrier(signal?: AbortSignal): Promise<void> {
    try {
      await this.replica.readBarrier(signal === undefined ? {} : { signal });
    } catch (error) {
      throw this.operationError(error);
    }
  }

  demandLeader(): void {
    if (!this.isLeader) throw this.notLeader();
  }

  notLeader(): OperationError {
    const { leaderId, term } = this.replica.status();
    const who = leaderId === undefined ? "nobody is known to" : `node ${leaderId} does`;
    const hint =
      leaderId === undefined
        ? undefined
        : { nodeId: leaderId, address: this.machine.leaders.of(leaderId) ?? "" };
    return new OperationError(
      "NOT_LEADER",
      `this node does not lead group ${this.name}: ${who}`,
      hint === undefined
        ? { retryAfterMs: ELECTION_MS }
        : { leader: { groupId: this.groupId, term, ...hint } },
    );
  }

  operationError(error: unknown): OperationError {
    const { leaderId, term } = this.replica.status();
    const { leaders } = this.machine;
    const addressOf = (nodeId: number): string => leaders.of(nodeId) ?? "";
    const known = operationErrorOf(error, { groupId: this.groupId, term, leaderId, addressOf });
    return known.code === "OVERLOADED" ? this.#overloaded(known) : known;
  }

  /** With what it is that is too much, and what that waits for. */
  #overloaded({ retryAfterMs }: OperationError): OperationError {
    const { pendingBytes, lastIndex, syncedIndex, commitIndex } = this.replica.status();
    const mebibytes = Math.max(1, Math.round(pendingBytes / MIB));
    const what =
      commitIndex === lastIndex
        ? "to be applied"
        : syncedIndex < lastIndex
          ? "for the leader's disk"
          : "for the disks of other nodes";
    const message = `${mebibytes} MiB of publishes wait ${what}: slow down`;
    return new OperationError("OVERLOADED", message, { retryAfterMs });
  }
}
