/** Nodes in a role, reached the way a node reaches it: by messages and time. */

import { allVoters } from "../../src/index.ts";
import { appendReply, voteReply } from "./messages.ts";
import { type NodeInit, TestNode } from "./node.ts";

/** A follower, in `term`, of nobody yet. */
export function follower(init: NodeInit = {}): TestNode {
  return new TestNode(init);
}

/** A candidate that has asked for votes; what it said is forgotten. */
export function candidate(init: NodeInit = {}): TestNode {
  const node = new TestNode({ ...init, options: { ...init.options, preVote: false } });
  node.core.campaign();
  node.settle();
  return node;
}

/**
 * A leader of term 1, or of the term after `init.hardState`, whose no-op is committed.
 *
 * Every other voter has acknowledged the whole log, and what was said meanwhile is forgotten.
 */
export function leader(init: NodeInit = {}): TestNode {
  const node = freshLeader(init);
  acknowledgeAll(node);
  return node;
}

/** A leader just elected: nothing of its term is committed, and nobody has answered. */
export function freshLeader(init: NodeInit = {}): TestNode {
  const node = new TestNode(init);
  elect(node);
  return node;
}

/** Makes `node` win an election with every vote there is. */
function elect(node: TestNode): void {
  node.core.campaign();
  node.settle();
  const { preVote } = node.options;
  if (preVote && node.role === "preCandidate") {
    const term = node.term + 1;
    for (const { id, incarnation } of others(node))
      node.receive({
        ...voteReply({ from: id, to: node.id, term, fromIncarnation: incarnation }),
        type: "RequestPreVoteReply",
      });
  }
  for (const { id, incarnation } of others(node))
    if (node.role === "candidate")
      node.receive(
        voteReply({ from: id, to: node.id, term: node.term, fromIncarnation: incarnation }),
      );
  node.takeOutbox();
}

/** Every other voter acknowledges all of the leader's log; what follows from that is forgotten. */
export function acknowledgeAll(node: TestNode): void {
  for (const { id } of others(node)) node.receive(acknowledgement(node, id));
  node.settle();
}

/** `from` holds all of the leader's log, or up to `index`. */
export function acknowledgement(
  node: TestNode,
  from: number,
  index: number = node.lastIndex,
): ReturnType<typeof appendReply> {
  const { configuration } = node.core.status();
  const member = allVoters(configuration).find(({ id }) => id === from);
  const fromIncarnation = member?.incarnation ?? 0;
  return appendReply({ from, to: node.id, term: node.term, index, fromIncarnation });
}

function others(node: TestNode): { id: number; incarnation: number }[] {
  return allVoters(node.core.status().configuration).filter(({ id }) => id !== node.id);
}
