/**
 * What a node has promised by what it sent: terms, votes, and a log that reaches somewhere. Its
 * next life has to keep it.
 */

import type { Message } from "@quorumlog/raft";
import type { Replica } from "@quorumlog/replica/testing";
import { hold } from "../engine/violation.ts";
import type { SimNode } from "../node/sim-node.ts";

interface DiskPromises {
  term: number;
  readonly votes: Map<number, number>;
  lastTerm: number;
  lastIndex: number;
}

export class Promises {
  readonly #disks = new Map<string, DiskPromises>();
  readonly #leaders = new Map<number, string>();
  readonly #terms = new Map<number, number>();

  onMessage(node: SimNode, message: Message): void {
    const { life } = node;
    if (life === undefined) return;
    hold(!life.hasFailed, "who has failed promises nothing", () => {
      return `node ${node.nodeId} sent a ${message.type} after its disk had failed`;
    });
    const promises = this.#of(node);
    demandTrusted(node, message);
    switch (message.type) {
      // A request for votes promises nothing: whoever asked, and is back, may vote for another one.
      case "RequestVoteReply":
        if (message.voteGranted)
          this.#vote(node, promises, { term: message.term, candidate: message.to });
        break;
      case "AppendEntriesReply":
        if (message.rejected) break;
        promises.term = Math.max(promises.term, message.term);
        // Written in an earlier term, and answered when that was durable: a later leader may have
        // replaced it meanwhile, in memory.
        if (message.term < life.replica.status().currentTerm) break;
        this.#append(node, promises, message.index);
        break;
      default:
    }
  }

  /** What its last life has promised holds in this one. */
  onStarted(node: SimNode): void {
    const { replica } = node.life as NonNullable<SimNode["life"]>;
    const promises = this.#of(node);
    const { term, votes, lastTerm, lastIndex } = promises;
    const { currentTerm, votedFor, loss } = replica.status();
    hold(currentTerm >= term, "a term is durable", () => {
      return `node ${node.nodeId} is back in term ${currentTerm}, after ${term}`;
    });
    const vote = votes.get(currentTerm);
    hold(vote === undefined || vote === votedFor, "a vote is durable", () => {
      return `node ${node.nodeId} voted for ${vote} in term ${currentTerm}, now for ${votedFor}`;
    });
    const [nowTerm, nowIndex] = lastOf(replica);
    // A group begins behind an entry of the first term, which nobody has heard of yet.
    hold(nowIndex <= 1 || nowTerm <= currentTerm, "a log is of terms that its node knows", () => {
      return `node ${node.nodeId} is back in term ${currentTerm}, with an entry of ${nowTerm}`;
    });
    const base = replica.log.base();
    hold(base.index <= 1 || node.hasSnapshot(base), "a log rests on a snapshot", () => {
      return `node ${node.nodeId} has a log behind ${base.index}, and no snapshot of that`;
    });
    const isKept = nowTerm > lastTerm || (nowTerm === lastTerm && nowIndex >= lastIndex);
    // Whoever knows that something may be lost has promised no more than it has.
    if (loss?.isSuspect === true) [promises.lastTerm, promises.lastIndex] = [nowTerm, nowIndex];
    hold(isKept || loss?.isSuspect === true, "what was acknowledged is durable", () => {
      const [now, before] = [`${nowTerm}/${nowIndex}`, `${lastTerm}/${lastIndex}`];
      return `node ${node.nodeId} is back at ${now}, after ${before}`;
    });
  }

  /** It had a log before, and has promised to keep it. */
  hasLog(node: SimNode): boolean {
    return this.#of(node).lastIndex > 1;
  }

  onLeader(node: SimNode, term: number): void {
    const key = `${node.nodeId}.${node.life?.number}`;
    const other = this.#leaders.get(term);
    hold(other === undefined || other === key, "one leader per term", () => {
      return `lives ${other} and ${key} both led term ${term}`;
    });
    this.#leaders.set(term, key);
  }

  /** A snapshot took the place of the log: its end may be of an earlier term. */
  onReset(node: SimNode): void {
    const promises = this.#of(node);
    promises.lastTerm = 0;
    promises.lastIndex = 0;
  }

  /** Entries at equal indexes that are applied are of equal terms. */
  onTurn(node: SimNode): void {
    const { replica } = node.life as NonNullable<SimNode["life"]>;
    const { appliedIndex } = replica.keeper;
    const term = replica.log.term(appliedIndex);
    if (term === undefined) return;
    const known = this.#terms.get(appliedIndex);
    hold(known === undefined || known === term, "applied entries agree", () => {
      return `node ${node.nodeId} applied ${term}/${appliedIndex}, another one ${known}`;
    });
    this.#terms.set(appliedIndex, term);
  }

  #vote(
    node: SimNode,
    promises: DiskPromises,
    { term, candidate }: { term: number; candidate: number },
  ): void {
    const former = promises.votes.get(term);
    hold(former === undefined || former === candidate, "one vote per term", () => {
      return `node ${node.nodeId} voted for ${former} and ${candidate} in term ${term}`;
    });
    promises.votes.set(term, candidate);
    promises.term = Math.max(promises.term, term);
  }

  #append(node: SimNode, promises: DiskPromises, index: number): void {
    const { replica } = node.life as NonNullable<SimNode["life"]>;
    const { syncedIndex, base } = replica.log.status();
    const isSyncedFirst = node.init.flush.mode === "sync";
    hold(
      index <= Math.max(syncedIndex, base.index) || !isSyncedFirst,
      "an acknowledgement waits for the disk",
      () => {
        return `node ${node.nodeId} acknowledged ${index}, and has synced ${syncedIndex}`;
      },
    );
    const term = replica.log.term(index) ?? 0;
    const isFurther =
      term > promises.lastTerm || (term === promises.lastTerm && index > promises.lastIndex);
    if (!isFurther) return;
    promises.lastTerm = term;
    promises.lastIndex = index;
  }

  #of(node: SimNode): DiskPromises {
    const key = `${node.nodeId}.${node.diskNumber}`;
    const found = this.#disks.get(key);
    if (found !== undefined) return found;
    const made = { term: 0, votes: new Map<number, number>(), lastTerm: 0, lastIndex: 0 };
    this.#disks.set(key, made);
    return made;
  }
}

/** Who may lack what it has acknowledged neither votes nor asks for votes. */
function demandTrusted(node: SimNode, message: Message): void {
  const isVote =
    (message.type === "RequestVoteReply" || message.type === "RequestPreVoteReply") &&
    message.voteGranted;
  const isCampaign = message.type === "RequestVote" || message.type === "RequestPreVote";
  if (!isVote && !isCampaign) return;
  hold(node.life?.replica.status().loss?.isSuspect !== true, "who is suspect elects nobody", () => {
    return `node ${node.nodeId} sent a ${message.type}`;
  });
}

function lastOf({ log }: Replica): [term: number, index: number] {
  const index = log.lastIndex();
  return [log.term(index) ?? 0, index];
}
