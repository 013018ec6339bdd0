/**
 * Votes and acknowledgements: what a node promises to others must be durable when it leaves, and
 * binds every later life of the same disk (paper §5.2, figure 2; thesis §3.8).
 */

import type {
  Configuration,
  HardState,
  LogIndex,
  Member,
  Message,
  NodeId,
  Term,
} from "@quorumlog/raft";
import { hold } from "../engine/violation.ts";
import type { SimNode } from "../node/sim-node.ts";
import { majority, type MemberDirectory } from "./member-directory.ts";

type Acknowledgement = Extract<Message, { type: "AppendEntriesReply" }>;
type Vote = Extract<Message, { type: "RequestVoteReply" }>;

interface PromisesOfDisk {
  term: Term;
  /** Whom it voted for, by term. */
  readonly votes: Map<Term, NodeId>;
}

export class Promises {
  readonly #directory: MemberDirectory;
  readonly #byDisk = new Map<string, PromisesOfDisk>();

  constructor(directory: MemberDirectory) {
    this.#directory = directory;
  }

  /** A process starts on a disk: it must remember what the disk has promised. */
  onStart(node: SimNode, recovered: HardState): void {
    const promised = this.#of(node);
    hold(
      recovered.currentTerm >= promised.term,
      "term forgotten over a restart",
      [node.id],
      () => `it starts in term ${recovered.currentTerm}, after promises in term ${promised.term}`,
    );
    const vote = promised.votes.get(recovered.currentTerm);
    hold(
      vote === undefined || vote === recovered.votedFor,
      "vote forgotten over a restart",
      [node.id],
      () =>
        `term ${recovered.currentTerm}: voted for ${vote}, recalls ` + String(recovered.votedFor),
    );
  }

  /** A message that rode on append work is about to leave, or to be counted by its own node. */
  onPromise(node: SimNode, message: Message): void {
    if (message.type === "RequestVoteReply" && message.voteGranted) this.#onVote(node, message);
    if (message.type === "AppendEntriesReply" && !message.rejected)
      this.#onAcknowledgement(node, message);
  }

  #onVote(node: SimNode, vote: Vote): void {
    const promised = this.#of(node);
    const former = promised.votes.get(vote.term);
    hold(
      former === undefined || former === vote.to,
      "one vote per term",
      [node.id],
      () => `term ${vote.term}: voted for ${former}, then for ${vote.to}`,
    );
    promised.votes.set(vote.term, vote.to);
    promised.term = Math.max(promised.term, vote.term);
    const { currentTerm, votedFor } = node.disk.durable.hardState;
    hold(
      currentTerm >= vote.term,
      "a vote is durable before it leaves",
      [node.id],
      () => `voted in term ${vote.term}, durable is term ${currentTerm}`,
    );
    // What was synced along with it may have moved on to a later term.
    if (currentTerm > vote.term) return;
    hold(
      votedFor === vote.to,
      "a vote is durable before it leaves",
      [node.id],
      () => `term ${vote.term}: voted for ${vote.to}, durable is ${String(votedFor)}`,
    );
  }

  #onAcknowledgement(node: SimNode, reply: Acknowledgement): void {
    const promised = this.#of(node);
    promised.term = Math.max(promised.term, reply.term);
    const { hardState, log } = node.disk.durable;
    hold(
      hardState.currentTerm >= reply.term,
      "a term is durable before it is answered",
      [node.id],
      () => `answered in ${reply.term}, durable is ${hardState.currentTerm}`,
    );
    if (hardState.currentTerm > reply.term || reply.index === 0) return;
    hold(
      log.lastIndex >= reply.index,
      "entries are durable before they are acknowledged",
      [node.id],
      () => `acknowledged ${reply.index}, durable up to ${log.lastIndex}`,
    );
    this.#checkMatch(node, reply);
  }

  /** The acknowledging log must be that of the leader it answers, up to there. */
  #checkMatch(node: SimNode, reply: Acknowledgement): void {
    const leader = this.#directory.node(reply.to);
    if (leader === undefined || leader.incarnation !== reply.toIncarnation) return;
    const { role, currentTerm } = leader.lastStatus;
    if (role !== "leader" || currentTerm !== reply.term) return;
    const theirs = leader.issued.term(reply.index);
    const own = node.disk.durable.log.term(reply.index);
    hold(
      theirs === undefined || own === undefined || theirs === own,
      "what is acknowledged matches the leader's log",
      [node.id, reply.to],
      () => `index ${reply.index}: term ${own} here, term ${theirs} at leader ${reply.to}`,
    );
  }

  /** Whoever is elected has the votes of a majority, of both halves of a joint configuration. */
  checkElected(node: SimNode, term: Term, configuration: Configuration): void {
    const hasVoted = (member: Member): boolean =>
      this.#byDisk.get(diskName(member))?.votes.get(term) === node.id;
    for (const half of [configuration.voters, configuration.votersOutgoing])
      hold(
        majority(half, hasVoted),
        "elected by a majority",
        [node.id],
        () => `term ${term}: ${half.filter(hasVoted).length} votes of ${half.length} voters`,
      );
  }

  /** A leader never believes that a follower holds more than it durably does. */
  checkMatchIndex(
    leader: SimNode,
    view: {
      member: Member;
      matchIndex: LogIndex;
      lossCount: number;
      term: Term;
    },
  ): void {
    const { member, matchIndex, lossCount, term } = view;
    const durable = this.#directory.durable(member);
    if (durable === undefined || durable.hardState.currentTerm > term) return;
    // The leader may not have heard of that yet.
    const isHeardOf = this.#directory.lossCount(member) === lossCount;
    if (this.#directory.hasForgotten(member) && !isHeardOf) return;
    const expected = leader.issued.term(matchIndex);
    if (expected === undefined || matchIndex <= leader.issued.baseIndex) return;
    hold(
      durable.log.covers({ index: matchIndex, term: expected }),
      "matchIndex is within what the follower holds",
      [leader.id, member.id],
      () =>
        `leader ${leader.id} of term ${term} believes ${member.id} to match up to ` +
        `${matchIndex} (term ${expected}); durable there is up to ${durable.log.lastIndex}, ` +
        `term ${durable.log.term(matchIndex)} at that index`,
    );
  }

  #of(member: Member): PromisesOfDisk {
    const name = diskName(member);
    const known = this.#byDisk.get(name);
    if (known !== undefined) return known;
    const promises = { term: 0, votes: new Map<Term, NodeId>() };
    this.#byDisk.set(name, promises);
    return promises;
  }
}

function diskName(member: Member): string {
  return `${member.id}.${member.incarnation}`;
}
