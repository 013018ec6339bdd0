/**
 * A closed-loop client: one operation at a time, each with a deadline.
 *
 *     invoke ──> attempt ──> applied, value ──────────────────────> acknowledged
 *                  ^  ├────> refused (never applied) ──> again, elsewhere
 *                  │  └────> no answer (ambiguous) ──┬─> again, same serial
 *                  └─────────────────────────────────┤
 *                                                    └─> given up: it may yet take effect
 */

import type { LogIndex, NodeId } from "@quorumlog/raft";
import type { Prng } from "@quorumlog/std";
import type { Oracle, WriteOperation } from "../check/oracle.ts";
import { MILLISECOND } from "../engine/event-queue.ts";
import { exponential } from "../engine/network.ts";
import { TRACE } from "../engine/trace.ts";
import { encodeCommand } from "../node/command.ts";
import type { ReadAnswer, WriteAnswer } from "../node/request-desk.ts";
import type { Cluster } from "./cluster.ts";

const ATTEMPT_COUNT_MAX = 12;
const HOP_MEAN = MILLISECOND;

/** The operation a client is busy with. */
interface Busy {
  readonly write: WriteOperation | undefined;
  readonly key: number;
  readonly floor: LogIndex;
  attempts: number;
  /** Some attempt was neither refused nor answered: giving up leaves it ambiguous. */
  isAmbiguous: boolean;
}

export interface OperationCounts {
  invoked: number;
  acknowledged: number;
  reads: number;
  /** Neither known to have happened nor known not to. */
  ambiguous: number;
  /** Known not to have happened, and never to happen. */
  refused: number;
}

export class Client {
  readonly #id: number;
  readonly #cluster: Cluster;
  readonly #oracle: Oracle;
  readonly #prng: Prng;
  readonly #counts: OperationCounts;
  #serial = 0;
  #target: NodeId;
  #busy: Busy | undefined;
  #isStopped = false;

  constructor(init: {
    id: number;
    cluster: Cluster;
    oracle: Oracle;
    prng: Prng;
    counts: OperationCounts;
  }) {
    this.#id = init.id;
    this.#cluster = init.cluster;
    this.#oracle = init.oracle;
    this.#prng = init.prng;
    this.#counts = init.counts;
    this.#target = 1 + init.prng.below(init.cluster.swarm.voterCount);
  }

  start(): void {
    this.#isStopped = false;
    if (this.#busy === undefined) this.#think();
  }

  /** Begins nothing new; what is under way goes on to its end. */
  stop(): void {
    this.#isStopped = true;
  }

  #think(): void {
    const delay = exponential(this.#prng, this.#cluster.swarm.load.thinkMean);
    this.#cluster.queue.schedule(delay, () => {
      if (!this.#isStopped && this.#busy === undefined) this.#invoke();
    });
  }

  #invoke(): void {
    const { load } = this.#cluster.swarm;
    const key = this.#prng.below(load.keyCount);
    const isRead = this.#prng.chance(load.readShare);
    let write: WriteOperation | undefined;
    if (!isRead) {
      this.#serial += 1;
      write = this.#oracle.invokeWrite({ client: this.#id, serial: this.#serial, key });
    }
    const { floor } = this.#oracle;
    this.#busy = { write, key, floor, attempts: 0, isAmbiguous: false };
    this.#counts.invoked += 1;
    this.#cluster.trace.event(TRACE.invoke, this.#id, key, write?.value ?? 0);
    this.#cluster.trace.note(() =>
      write === undefined
        ? `client ${this.#id} reads ${key} floor=${floor}`
        : `client ${this.#id} writes ${key}=${write.value} serial=${write.serial} floor=${floor}`,
    );
    this.#attempt(this.#busy);
  }

  #attempt(busy: Busy): void {
    busy.attempts += 1;
    const number = busy.attempts;
    const target = this.#chooseTarget(number);
    const hop = exponential(this.#prng, HOP_MEAN);
    const isLost = this.#prng.chance(this.#cluster.swarm.load.loss);
    if (!isLost)
      this.#cluster.queue.schedule(hop, () => {
        if (busy.write === undefined) this.#sendRead(busy, target);
        else this.#sendWrite(busy, busy.write, target);
      });
    this.#cluster.queue.schedule(this.#cluster.swarm.load.timeout, () => {
      if (this.#busy !== busy || busy.attempts !== number) return;
      busy.isAmbiguous = true;
      const isRetried = this.#prng.chance(this.#cluster.swarm.load.retryShare);
      if (isRetried && number < ATTEMPT_COUNT_MAX) this.#attempt(busy);
      else this.#giveUp(busy);
    });
  }

  #chooseTarget(number: number): NodeId {
    const { preferredTarget, swarm, hosts } = this.#cluster;
    if (preferredTarget !== undefined && this.#prng.chance(0.6)) return preferredTarget;
    const isStray = number > 1 ? this.#prng.chance(0.6) : this.#prng.chance(swarm.load.strayShare);
    if (!isStray) return this.#target;
    const candidates = hosts.filter(({ state }) => state !== "spare");
    return this.#prng.pick(candidates).id;
  }

  #sendWrite(busy: Busy, write: WriteOperation, target: NodeId): void {
    const attempt = this.#oracle.startAttempt(write);
    const { client, serial, key, value } = write;
    const padding = this.#prng.below(this.#cluster.swarm.load.paddingMax + 1);
    const bytes = encodeCommand({ client, serial, key, value, attempt }, padding);
    const answer = (result: WriteAnswer): void => {
      this.#reply(() => {
        this.#onWriteAnswer(busy, result, target);
      });
    };
    const request = { attempt, bytes, answer };
    if (this.#cluster.request(target, { kind: "write", request })) return;
    this.#oracle.onRefused(attempt);
    answer({ kind: "refused", leaderId: undefined });
  }

  #sendRead(busy: Busy, target: NodeId): void {
    const answer = (result: ReadAnswer): void => {
      this.#reply(() => {
        this.#onReadAnswer(busy, result, target);
      });
    };
    const request = { key: busy.key, answer };
    if (!this.#cluster.request(target, { kind: "read", request }))
      answer({ kind: "refused", leaderId: undefined });
  }

  /** Answers take time, and some are lost. */
  #reply(run: () => void): void {
    if (this.#prng.chance(this.#cluster.swarm.load.loss)) return;
    this.#cluster.queue.schedule(exponential(this.#prng, HOP_MEAN), run);
  }

  #onWriteAnswer(busy: Busy, answer: WriteAnswer, target: NodeId): void {
    if (busy.write === undefined) return;
    // What comes too late counts, too: a leader that was paused past its end answers just then.
    if (answer.kind === "applied") this.#oracle.onWriteAcknowledged(busy.write, answer.result);
    if (this.#busy !== busy) return;
    if (answer.kind === "applied") {
      this.#target = target;
      this.#finish("acknowledged", answer.result.index);
    } else if (answer.kind === "refused") this.#onRefused(busy, answer.leaderId);
  }

  #onReadAnswer(busy: Busy, answer: ReadAnswer, target: NodeId): void {
    if (answer.kind === "refused") {
      if (this.#busy === busy) this.#onRefused(busy, answer.leaderId);
      return;
    }
    const { value, index } = answer;
    this.#oracle.onReadAcknowledged({ key: busy.key, floor: busy.floor, value, index });
    if (this.#busy !== busy) return;
    this.#counts.reads += 1;
    const leader = this.#cluster.leader();
    if (leader !== undefined && leader.id !== target)
      this.#cluster.marks.hit("read served by a node that does not lead");
    this.#finish("acknowledged", index);
  }

  #onRefused(busy: Busy, leaderId: NodeId | undefined): void {
    if (leaderId !== undefined) this.#target = leaderId;
    if (busy.attempts >= ATTEMPT_COUNT_MAX) {
      this.#giveUp(busy);
      return;
    }
    const number = busy.attempts;
    this.#cluster.queue.schedule(this.#prng.between(5, 60) * MILLISECOND, () => {
      if (this.#busy === busy && busy.attempts === number) this.#attempt(busy);
    });
  }

  #giveUp(busy: Busy): void {
    this.#finish(busy.isAmbiguous ? "ambiguous" : "refused", 0);
  }

  #finish(outcome: "acknowledged" | "ambiguous" | "refused", index: LogIndex): void {
    this.#busy = undefined;
    this.#counts[outcome] += 1;
    this.#cluster.trace.event(TRACE.complete, this.#id, index);
    this.#cluster.trace.note(() => `client ${this.#id} ${outcome} at ${index}`);
    if (!this.#isStopped) this.#think();
  }
}
