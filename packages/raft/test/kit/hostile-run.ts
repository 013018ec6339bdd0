/** Takes hostile steps against one node, and checks what must hold after each of them. */

import {
  type Loss,
  type AppendWork,
  type ApplyWork,
  type ConfigurationChange,
  type Entry,
  type Message,
  messageProblem,
  type Ready,
  type Status,
} from "../../src/index.ts";
import { configurationEntry, entry } from "./entries.ts";
import { CHANGES, type HostileMessage, type HostileStep, type Near } from "./hostile-peer.ts";
import { changeSet, configurationOf, singleChange } from "./members.ts";
import { snapshotAt } from "./messages.ts";
import type { TestNode } from "./node.ts";

export class HostileRun {
  readonly node: TestNode;
  readonly #appends: AppendWork[] = [];
  readonly #applies: ApplyWork[] = [];
  /** Storage mode `sync`: taken, and not finished. */
  #outstanding: Ready | undefined;
  #status: Status;
  #contexts = 0;
  /** How many messages got past the gate: a run where none does proves little. */
  heard = 0;

  constructor(node: TestNode) {
    this.node = node;
    this.#status = node.core.status();
  }

  take(step: HostileStep): void {
    this.#do(step);
    this.#check();
  }

  #do(step: HostileStep): void {
    const { node } = this;
    const { core } = node;
    switch (step.step) {
      case "message":
        return this.#hear(this.#message(step));
      case "tick":
        for (let i = 0; i < step.count; i++) core.tick();
        return undefined;
      case "propose":
        core.propose(step.sizes.map((size) => new Uint8Array(size)));
        return undefined;
      case "change":
        core.proposeConfigurationChange(changeOf(step.change));
        return undefined;
      case "transfer":
        core.transferLeadership(step.id);
        return undefined;
      case "gone":
        return core.reportPeerGone(step.id);
      case "unreachable":
        return core.reportUnreachable(step.id);
      case "snapshotReport":
        return core.reportSnapshot(step.id, step.failed ? "failed" : "finished");
      case "campaign":
        return core.campaign();
      case "read":
        this.#contexts += 1;
        core.readIndex(this.#contexts);
        return undefined;
      case "forgetLeader":
        return core.forgetLeader();
      case "compact":
        return this.#compact();
      default:
        return this.#work(step.step);
    }
  }

  #work(step: "take" | "write" | "apply" | "settle"): void {
    if (step === "take") this.#take();
    else if (step === "write") this.#write();
    else if (step === "apply") this.#apply();
    else
      for (let i = 0; i < 20; i++) {
        this.#take();
        while (this.#write() || this.#apply());
      }
  }

  #take(): void {
    const { node } = this;
    if (this.#outstanding !== undefined) return;
    const ready = node.take();
    node.takeOutbox();
    if (ready === undefined) return;
    this.#checkReady(ready);
    if (node.options.storageWrites === "sync") {
      this.#outstanding = ready;
      return;
    }
    if (ready.append !== undefined) this.#appends.push(ready.append);
    if (ready.apply !== undefined) this.#applies.push(ready.apply);
  }

  #write(): boolean {
    const { node } = this;
    if (this.#outstanding !== undefined) {
      const ready = this.#outstanding;
      this.#outstanding = undefined;
      node.finish(ready);
      node.takeOutbox();
      return true;
    }
    const work = this.#appends.shift();
    // What was handed out before a snapshot is applied before it is installed.
    if (work?.snapshot !== undefined) while (this.#apply());
    if (work !== undefined) node.write(work);
    node.takeOutbox();
    return work !== undefined;
  }

  #apply(): boolean {
    const work = this.#applies.shift();
    if (work !== undefined) this.node.apply(work);
    return work !== undefined;
  }

  #compact(): void {
    const { node } = this;
    // Only what is applied may be dropped, and only between writes.
    if (this.#appends.length > 0 || this.#applies.length > 0 || this.#outstanding !== undefined)
      return;
    const { appliedIndex, firstIndex } = node.core.status();
    if (appliedIndex >= firstIndex && node.storage.lastIndex() >= appliedIndex) node.compact();
  }

  #hear(message: Message): void {
    if (messageProblem(message) !== undefined) return;
    if (this.node.core.step(message) === undefined) this.heard += 1;
  }

  #message(step: HostileMessage): Message {
    const { node } = this;
    const { currentTerm } = node.core.status();
    const header = {
      from: step.from,
      to: node.id,
      fromIncarnation: step.incarnation,
      toIncarnation: 0,
      term: Math.max(1, currentTerm + step.term),
    };
    const index = this.#near(step.index, step.from);
    const term = this.#termNear(index, step.indexTerm);
    const commit = this.#near(step.commit, step.from);
    const { type } = step;
    switch (type) {
      case "AppendEntries": {
        const entries = this.#entries(step, index, term);
        const prev = { prevLogIndex: index, prevLogTerm: term };
        return { ...header, type, ...prev, entries, leaderCommit: commit };
      }
      case "AppendEntriesReply": {
        const hint = { hintIndex: commit, hintTerm: term };
        const rejected = step.flag && index > 0;
        return { ...header, type, index, rejected, ...hint, ...lossOf(step) };
      }
      case "Heartbeat":
        return { ...header, type, leaderCommit: commit, round: index, ...lossOf(step) };
      case "HeartbeatReply":
        return { ...header, type, round: index, ...lossOf(step) };
      case "RequestVote":
      case "RequestPreVote": {
        const last = { lastLogIndex: index, lastLogTerm: term };
        if (type === "RequestPreVote") return { ...header, type, ...last };
        return { ...header, type, ...last, isTransfer: step.flag };
      }
      case "RequestVoteReply":
      case "RequestPreVoteReply":
        return { ...header, type, voteGranted: step.flag };
      case "InstallSnapshot": {
        const voters = step.flag ? [1, 2, 3] : [1, 2];
        const configuration = configurationOf({ voters, learners: [4] });
        const at = Math.max(1, index);
        return { ...header, type, snapshot: snapshotAt(at, Math.max(1, term), configuration) };
      }
      case "TimeoutNow":
        return { ...header, type };
      case "ReadIndexRequest":
        return { ...header, type, context: index };
      case "ReadIndexReply":
        return { ...header, type, context: index, readIndex: commit };
      default:
        return { ...header, type, transferee: Math.max(1, commit % 6) };
    }
  }

  #entries(step: HostileMessage, prevIndex: number, prevTerm: number): Entry[] {
    const entries: Entry[] = [];
    let term = Math.max(1, prevTerm);
    for (const { termStep, change } of step.entries) {
      term += termStep;
      const index = prevIndex + entries.length + 1;
      entries.push(
        change < 0 ? entry(term, index, "x") : configurationEntry(term, index, changeOf(change)),
      );
    }
    return entries;
  }

  #near({ anchor, offset }: Near, peer: number): number {
    const status = this.node.core.status();
    const at = {
      zero: 0,
      first: status.firstIndex,
      applied: status.appliedIndex,
      commit: status.commitIndex,
      stable: status.stableIndex,
      last: status.lastIndex,
      next: this.node.core.progress().find(({ id }) => id === peer)?.nextIndex ?? 1,
    }[anchor];
    return Math.max(0, at + offset);
  }

  /** The term that the node's own storage has there, or its current one, moved by `offset`. */
  #termNear(index: number, offset: number): number {
    if (index === 0) return 0;
    const known = this.node.storage.term(index) ?? this.node.term;
    return Math.max(1, known + offset);
  }

  #check(): void {
    const status = this.node.core.status();
    const before = this.#status;
    holds(status.currentTerm >= before.currentTerm, "the term went back");
    holds(status.commitIndex >= before.commitIndex, "the commit index went back");
    holds(status.appliedIndex >= before.appliedIndex, "the applied index went back");
    if (status.currentTerm === before.currentTerm && before.votedFor !== undefined)
      holds(status.votedFor === before.votedFor, "the vote changed within a term");
    this.#status = status;
  }

  #checkReady(ready: Ready): void {
    const { append, apply } = ready;
    if (append !== undefined && append.snapshot !== undefined)
      holds(
        (append.entries[0]?.index ?? Infinity) > append.snapshot.lastIncludedIndex,
        "entries that the snapshot in the same work covers",
      );
    if (apply !== undefined) {
      const first = apply.entries[0]?.index ?? 0;
      holds(
        apply.entries.every((e, i) => e.index === first + i),
        "a gap in what is applied",
      );
    }
    for (const message of ready.messages) checkSent(this.node, message);
    for (const message of append?.responses ?? []) checkSent(this.node, message);
  }
}

function lossOf({ loss }: HostileMessage): { readonly loss?: Loss } {
  return loss === undefined ? {} : { loss };
}

function checkSent(node: TestNode, message: Message): void {
  holds(message.from === node.id, "a message in another node's name");
  const problem = messageProblem(message);
  holds(problem === undefined, `sends a malformed ${message.type}: ${problem}`);
}

function holds(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

function changeOf(at: number): ConfigurationChange {
  const changes = CHANGES[at] ?? [];
  const [only] = changes;
  if (only !== undefined && changes.length === 1) return singleChange(only[0], only[1]);
  return changeSet("auto", ...changes);
}
