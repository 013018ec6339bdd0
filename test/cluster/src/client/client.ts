/**
 * A client: appends, one after another or a few at once, to whoever it takes for the leader;
 * retries what a session makes safe; and checks every answer.
 */

import type { Durability } from "@quorumlog/replica";
import { COMMAND_KIND, recordsDraft, sessionDraft } from "@quorumlog/replica/testing";
import type { Prng } from "@quorumlog/std";
import { hold } from "../engine/violation.ts";
import type { SimNode } from "../node/sim-node.ts";
import type { World } from "../run/world.ts";
import type { AppendedAt, Attempt, AttemptEnd } from "./attempt.ts";
import { makeRecords, Operation } from "./operation.ts";

export type ClientKind = "plain" | "compare" | "session" | "fast";

export interface ClientInit {
  readonly world: World;
  readonly prng: Prng;
  readonly kind: ClientKind;
  /** Between the end of a call and the next one, at most. */
  readonly thinkMs: number;
  /** Calls at once. */
  readonly width: number;
  readonly recordBytesMax: number;
}

interface Session {
  readonly id: number;
  /** It lasts as long as a run. */
  readonly isLong: boolean;
  nextSequence: number;
}

interface AttemptReport {
  readonly operation: Operation;
  readonly node: SimNode;
  readonly isBelowQuorum: boolean;
  /** Its client did not wait for the end. */
  readonly isGivenUp: boolean;
}

/** As the replica documents it. */
const SESSION_WINDOW = 5;
const CALL_BYTES_MAX = 12 * 1024;
const RECORDS_MAX = 20;

export class Client {
  readonly #init: ClientInit;
  readonly #world: World;
  readonly #prng: Prng;
  /** Whom it takes for the leader. */
  #leaderId: number | undefined;
  #session: Session | undefined;
  #isOpening = false;
  #isStopped = false;
  #underWay = 0;

  constructor(init: ClientInit) {
    this.#init = init;
    this.#world = init.world;
    this.#prng = init.prng;
  }

  start(): void {
    for (let i = 0; i < this.#init.width; i++) this.#later(() => this.#next());
  }

  /** Begins nothing new. */
  stop(): void {
    this.#isStopped = true;
  }

  get isIdle(): boolean {
    return this.#underWay === 0;
  }

  #later(act: () => void): void {
    this.#world.queue.after(this.#prng.fraction() * this.#init.thinkMs, act);
  }

  #next(): void {
    if (this.#isStopped) return;
    const { kind } = this.#init;
    if (kind === "session" && this.#session === undefined) this.#openSession();
    else this.#append();
  }

  #append(): void {
    const { kind } = this.#init;
    const session = this.#session;
    const { ledger } = this.#world;
    const id = ledger.operationCount + 1;
    const operation = new Operation({
      id,
      records: makeRecords(id, this.#lengths()),
      expectedOffset: kind === "compare" ? this.#guess() : -1,
      sessionId: session?.id ?? 0,
      sequence: session?.nextSequence ?? 0,
      floor: ledger.ackedEnd,
    });
    if (session !== undefined) session.nextSequence += 1;
    ledger.add(operation);
    this.#underWay += 1;
    this.#attempt(operation);
  }

  #attempt(operation: Operation): void {
    const { kind } = this.#init;
    const prng = this.#prng;
    const isFast = kind === "fast" && prng.chance(0.7);
    const durability: Durability = isFast ? prng.pick(["leader", "async"] as const) : "quorum";
    const node = this.#target();
    const { records, sessionId, sequence, expectedOffset: offset } = operation;
    const draft = recordsDraft(records, { sessionId, sequence }, offset);
    const timeoutMs = prng.pick([100, 400, 1_500, 6_000]);
    operation.attempts += 1;
    let isGivenUp = false;
    const report = { operation, node, isBelowQuorum: durability !== "quorum" };
    const attempt = this.#world.attempts.start({
      node,
      draft,
      durability,
      timeoutMs,
      onEnd: (end) => {
        this.#onAttemptEnd(end, { ...report, isGivenUp });
      },
    });
    if (attempt === undefined) return;
    if (prng.chance(0.02)) this.#abortSoon(attempt);
    else if (sessionId !== 0 && prng.chance(0.1))
      this.#world.queue.after(prng.fraction() * 100, () => {
        // Patience is over before the answer is there: it asks again elsewhere, with the session.
        if (operation.outcome !== undefined || isGivenUp) return;
        isGivenUp = true;
        operation.hadUnknown = true;
        this.#world.story.count("repeated before an answer");
        this.#retry(operation);
      });
  }

  #abortSoon(attempt: Attempt): void {
    this.#world.queue.after(this.#prng.fraction() * 20, () => {
      attempt.abort();
    });
  }

  #onAttemptEnd(end: AttemptEnd, report: AttemptReport): void {
    const { operation, node, isGivenUp } = report;
    this.#world.story.mix(operation.id, node.nodeId, end.kind.length);
    switch (end.kind) {
      case "ok":
        this.#onOk(end.at, report);
        return;
      case "refused":
        this.#leaderId = undefined;
        if (!isGivenUp) this.#onNotApplied(operation);
        return;
      case "lost":
        this.#leaderId = undefined;
        operation.hadUnknown = true;
        if (!isGivenUp) this.#onUnknown(operation);
        return;
      default: {
        const { code, outcome, leaderId } = end.error;
        this.#leaderId = leaderId;
        this.#world.story.count(`${code} ${outcome}`);
        if (code === "TIMEOUT") this.#leaderId = undefined;
        if (outcome === "unknown") operation.hadUnknown = true;
        if (isGivenUp) return;
        if (outcome === "unknown") this.#onUnknown(operation);
        else this.#onNotApplied(operation);
      }
    }
  }

  #onOk(at: AppendedAt, report: AttemptReport): void {
    const { operation, node, isGivenUp, isBelowQuorum } = report;
    const { ledger, story } = this.#world;
    const { result } = at;
    if (result === undefined) {
      hold(isBelowQuorum, "a quorum answers with a result", () => {
        return `operation ${operation.id} was acknowledged by node ${node.nodeId} without one`;
      });
      story.count("acknowledged below quorum");
      this.#done(operation, "promised");
      return;
    }
    story.count(result.status);
    this.#world.countContainer(at);
    this.#leaderId = node.nodeId;
    if (result.status === "appended") {
      if (result.isDuplicate) story.count("duplicate answered");
      hold(result.count === operation.records.length, "a count is that of the call", () => {
        return `operation ${operation.id} was answered with ${result.count} records`;
      });
      ledger.onAcknowledged(operation, result.offset, node.nodeId);
      if (!isGivenUp) this.#done(operation, "ok");
      return;
    }
    this.#demandRemembered(operation, result.status);
    if (isGivenUp) return;
    if (result.status === "mismatch") {
      const { nextOffset } = result;
      hold(nextOffset !== operation.expectedOffset, "a mismatch is one", () => {
        return `operation ${operation.id} wanted ${nextOffset}, and was refused`;
      });
      this.#onNotApplied(operation);
    } else if (result.status === "gap") this.#later(() => this.#retry(operation));
    else {
      // Expired, or too old: an earlier attempt may have been stored.
      this.#session = undefined;
      if (operation.hadUnknown || result.status === "too-old") this.#done(operation, "unknown");
      else this.#onNotApplied(operation);
    }
  }

  /** A session that is used, and the results of its last calls, are not forgotten. */
  #demandRemembered({ id, sessionId, sequence }: Operation, status: string): void {
    const session = this.#session;
    if (session?.id !== sessionId) return;
    hold(status !== "expired" || !session.isLong, "a session lasts as long as it is used", () => {
      return `session ${sessionId} has expired for operation ${id}`;
    });
    const isRecent = session.nextSequence - sequence <= SESSION_WINDOW;
    hold(status !== "too-old" || !isRecent, "the last results of a session are kept", () => {
      return `operation ${id} is ${sequence} of a session that is at ${session.nextSequence}`;
    });
  }

  /** This attempt was in vain; others may not have been. */
  #onNotApplied(operation: Operation): void {
    const isSession = operation.sessionId !== 0;
    if (isSession && this.#mayRetry(operation)) {
      this.#later(() => this.#retry(operation));
      return;
    }
    if (isSession) this.#session = undefined;
    if (operation.hadUnknown) {
      this.#done(operation, "unknown");
      return;
    }
    this.#world.ledger.onNotApplied(operation);
    this.#done(operation, "not-applied");
  }

  #onUnknown(operation: Operation): void {
    if (operation.sessionId !== 0 && this.#mayRetry(operation)) {
      this.#later(() => this.#retry(operation));
      return;
    }
    if (operation.sessionId !== 0) this.#session = undefined;
    this.#done(operation, "unknown");
  }

  #mayRetry({ attempts }: Operation): boolean {
    return attempts < 50 && !this.#isStopped;
  }

  #retry(operation: Operation): void {
    if (operation.outcome !== undefined) return;
    this.#attempt(operation);
  }

  #done(operation: Operation, outcome: NonNullable<Operation["outcome"]>): void {
    if (operation.outcome !== undefined) return;
    operation.outcome = outcome;
    this.#underWay -= 1;
    this.#later(() => this.#next());
  }

  #openSession(): void {
    if (this.#isOpening) {
      this.#later(() => this.#next());
      return;
    }
    this.#isOpening = true;
    const isLong = !this.#prng.chance(0.3);
    const idleMs = isLong ? 3_600_000 : 2_000;
    this.#world.attempts.start({
      node: this.#target(),
      draft: sessionDraft(COMMAND_KIND.openSession, 0, idleMs),
      durability: "quorum",
      timeoutMs: 1_000,
      onEnd: (end) => {
        this.#isOpening = false;
        const result = end.kind === "ok" ? end.at.result : undefined;
        if (result?.status === "opened") {
          this.#world.demandNewSession(result.sessionId);
          this.#session = { id: result.sessionId, isLong, nextSequence: 1 };
        } else this.#leaderId = end.kind === "error" ? end.error.leaderId : undefined;
        this.#later(() => this.#next());
      },
    });
  }

  #target(): SimNode {
    const nodes = this.#world.nodes;
    const hinted = this.#leaderId === undefined ? undefined : nodes.get(this.#leaderId);
    if (hinted !== undefined && !this.#prng.chance(0.03)) return hinted;
    return this.#prng.pick([...nodes.values()]);
  }

  /** Where the log may end. */
  #guess(): number {
    const { ledger } = this.#world;
    if (this.#prng.chance(0.1)) return this.#prng.below(ledger.end + 10);
    return this.#prng.chance(0.5) ? ledger.end : ledger.ackedEnd;
  }

  #lengths(): number[] {
    const { recordBytesMax } = this.#init;
    const count = this.#prng.chance(0.5) ? 1 : this.#prng.between(1, RECORDS_MAX + 1);
    let left = CALL_BYTES_MAX;
    return Array.from({ length: count }, () => {
      const length = Math.min(left, 1 + this.#prng.below(recordBytesMax));
      left -= Math.min(left, length + 4);
      return length;
    });
  }
}
