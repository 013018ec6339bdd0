/**
 * What a change of membership should come to, written a second time and with other means than the
 * core's: sets of ids, one pass, no sharing of code. The two must agree on every committed change.
 */

import type { Configuration, ConfigurationChange, Incarnation, NodeId } from "@quorumlog/raft";

interface Draft {
  readonly incarnations: Map<NodeId, Incarnation>;
  readonly incoming: Set<NodeId>;
  readonly outgoing: Set<NodeId>;
  readonly learners: Set<NodeId>;
  readonly staged: Set<NodeId>;
}

/** @returns `undefined` for a change that does not fit; the configuration then stays as it is. */
export function nextConfiguration(
  current: Configuration,
  change: ConfigurationChange,
): Configuration | undefined {
  const isJoint = current.votersOutgoing.length > 0;
  const count = change.changes.length;
  const draft = draftOf(current);
  if (count === 0 && change.transition === "auto") return isJoint ? leave(draft) : undefined;
  if (isJoint) return undefined;

  const goesThroughJoint = change.transition !== "auto" || count > 1;
  if (goesThroughJoint) {
    if (draft.incoming.size === 0) return undefined;
    for (const id of draft.incoming) draft.outgoing.add(id);
  }
  const before = new Set(draft.incoming);
  for (const { operation, member } of change.changes) {
    if (member.id === 0) continue;
    const joins = operation === "addVoter" || operation === "addLearner";
    if (joins && !admit(draft, member.id, member.incarnation)) return undefined;
    if (operation === "addVoter") makeVoter(draft, member.id);
    if (operation === "addLearner") makeLearner(draft, member.id);
    if (operation === "remove") expel(draft, member.id);
  }
  if (draft.incoming.size === 0) return undefined;
  if (!goesThroughJoint && distance(before, draft.incoming) > 1) return undefined;
  return finish(draft, goesThroughJoint && change.transition !== "explicit");
}

/** The configuration after a joint one; of a simple one, itself. */
export function leftConfiguration(current: Configuration): Configuration {
  return current.votersOutgoing.length > 0 ? leave(draftOf(current)) : current;
}

/** The same text for the same configuration, and for no other. */
export function describeConfiguration(configuration: Configuration): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = configuration;
  const lists = [voters, votersOutgoing, learners, learnersNext].map((members) =>
    members.map(({ id, incarnation }) => `${id}.${incarnation}`).join(" "),
  );
  return `(${lists[0]})&&(${lists[1]}) learners=(${lists[2]}) next=(${lists[3]}) auto=${autoLeave}`;
}

function draftOf(current: Configuration): Draft {
  const incarnations = new Map<NodeId, Incarnation>();
  const ids = (members: Configuration["voters"]): Set<NodeId> => {
    for (const { id, incarnation } of members) incarnations.set(id, incarnation);
    return new Set(members.map(({ id }) => id));
  };
  return {
    incarnations,
    incoming: ids(current.voters),
    outgoing: ids(current.votersOutgoing),
    learners: ids(current.learners),
    staged: ids(current.learnersNext),
  };
}

function isKnown(draft: Draft, id: NodeId): boolean {
  return draft.incoming.has(id) || draft.outgoing.has(id) || draft.learners.has(id);
}

/** An id stands for one life of a disk until it is removed. */
function admit(draft: Draft, id: NodeId, incarnation: Incarnation): boolean {
  if (isKnown(draft, id)) return draft.incarnations.get(id) === incarnation;
  draft.incarnations.set(id, incarnation);
  return true;
}

function makeVoter(draft: Draft, id: NodeId): void {
  draft.learners.delete(id);
  draft.staged.delete(id);
  draft.incoming.add(id);
}

function makeLearner(draft: Draft, id: NodeId): void {
  if (draft.learners.has(id)) return;
  draft.incoming.delete(id);
  if (draft.outgoing.has(id)) draft.staged.add(id);
  else draft.learners.add(id);
}

function expel(draft: Draft, id: NodeId): void {
  draft.incoming.delete(id);
  draft.learners.delete(id);
  draft.staged.delete(id);
}

function distance(left: Set<NodeId>, right: Set<NodeId>): number {
  let count = 0;
  for (const id of left) if (!right.has(id)) count += 1;
  for (const id of right) if (!left.has(id)) count += 1;
  return count;
}

function leave(draft: Draft): Configuration {
  for (const id of draft.staged) draft.learners.add(id);
  draft.staged.clear();
  draft.outgoing.clear();
  return finish(draft, false);
}

function finish(draft: Draft, autoLeave: boolean): Configuration {
  const members = (ids: Set<NodeId>): Configuration["voters"] =>
    [...ids]
      .sort((a, b) => a - b)
      .map((id) => ({ id, incarnation: draft.incarnations.get(id) ?? 0 }));
  return {
    voters: members(draft.incoming),
    votersOutgoing: members(draft.outgoing),
    learners: members(draft.learners),
    learnersNext: members(draft.staged),
    autoLeave,
  };
}
