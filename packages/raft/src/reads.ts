/** Linearizable reads without log entries: ReadIndex and leases (thesis §6.4). */

import { sometimes } from "@quorumlog/std";
import type { CoreState } from "./core-state.ts";
import type { DropReason } from "./drop-reason.ts";
import type { ReadRequest } from "./leader-reads.ts";
import type { ReadIndexReply, ReadIndexRequest } from "./message.ts";
import { broadcastHeartbeat } from "./replication.ts";
import type { Leader } from "./role.ts";

/** A read of this node's own application. Returns false if it cannot be served from here. */
export function readIndex(core: CoreState, context: number): boolean {
  const leader = core.leader();
  if (leader !== undefined) {
    const own = { from: core.id, fromIncarnation: core.incarnation, context };
    return acceptRead(core, leader, own);
  }
  if (core.leaderId === undefined) return false;
  if (core.forwardedReads.size >= core.options.pendingReadCountMax) return false;
  const wireContext = core.nextReadContext;
  core.nextReadContext += 1;
  const expiresAt = core.now + core.options.electionTicks;
  core.forwardedReads.set(wireContext, { context, expiresAt });
  core.send({
    type: "ReadIndexRequest",
    from: core.id,
    to: core.leaderId,
    fromIncarnation: core.incarnation,
    toIncarnation: core.leaderIncarnation,
    term: core.currentTerm,
    context: wireContext,
  });
  return true;
}

/** A follower passes on a read. */
export function onReadIndexRequest(
  core: CoreState,
  leader: Leader,
  message: ReadIndexRequest,
): DropReason | undefined {
  return acceptRead(core, leader, message) ? undefined : "overloaded";
}

/** The leader's answer to a read that this follower passed on. */
export function onReadIndexReply(core: CoreState, message: ReadIndexReply): DropReason | undefined {
  const read = core.forwardedReads.get(message.context);
  if (read === undefined) return "unexpected";
  sometimes("read served on a follower");
  core.forwardedReads.delete(message.context);
  core.readStates.push({ context: read.context, readIndex: message.readIndex });
  return undefined;
}

/** Gives up reads whose answer is overdue, so that they do not fill the room for others. */
export function expireForwardedReads(core: CoreState): void {
  for (const [wireContext, { context, expiresAt }] of core.forwardedReads) {
    if (expiresAt > core.now) return;
    sometimes("forwarded read expired");
    core.forwardedReads.delete(wireContext);
    core.droppedReads.push(context);
  }
}

/** An entry of the leader's term is committed: reads that waited for that can start. */
export function releaseEarlyReads(core: CoreState, leader: Leader): void {
  if (!hasCommittedInTerm(core)) return;
  for (const request of leader.reads.takeEarly()) {
    sometimes("read waited for the first commit of a term");
    startRead(core, leader, request);
  }
}

/** Broadcasts the round that new reads wait for, if there are any. */
export function startWantedRound(core: CoreState, leader: Leader): void {
  if (!leader.reads.isRoundWanted) return;
  broadcastHeartbeat(core, leader);
  confirmReads(core, leader);
}

/** Answers the reads that a quorum has confirmed by now. */
export function confirmReads(core: CoreState, leader: Leader): void {
  const { reads, tracker } = leader;
  // A configuration without voters confirms nothing.
  const round = tracker.ackedRound();
  if (round === Infinity) return;
  for (const { readIndex: index, ...request } of reads.confirm(round)) answer(core, request, index);
}

function acceptRead(core: CoreState, leader: Leader, request: ReadRequest): boolean {
  if (leader.reads.count >= core.options.pendingReadCountMax) return false;
  const { from, fromIncarnation, context } = request;
  // What earlier leaders committed is known only when something of this term is (§8; etcd #7331).
  if (hasCommittedInTerm(core)) startRead(core, leader, { from, fromIncarnation, context });
  else leader.reads.addEarly({ from, fromIncarnation, context });
  return true;
}

function startRead(core: CoreState, leader: Leader, request: ReadRequest): void {
  const { leaseReads, electionTicks, leaseDriftTicks } = core.options;
  if (leaseReads && leader.reads.hasLease(core.now, electionTicks - leaseDriftTicks)) {
    sometimes("read served from the lease");
    answer(core, request, core.log.commitIndex);
    return;
  }
  leader.reads.add(request, core.log.commitIndex);
}

function hasCommittedInTerm(core: CoreState): boolean {
  return core.log.term(core.log.commitIndex) === core.currentTerm;
}

function answer(core: CoreState, request: ReadRequest, index: number): void {
  if (request.from === core.id) {
    core.readStates.push({ context: request.context, readIndex: index });
    return;
  }
  core.send({
    type: "ReadIndexReply",
    from: core.id,
    to: request.from,
    fromIncarnation: core.incarnation,
    toIncarnation: request.fromIncarnation,
    term: core.currentTerm,
    context: request.context,
    readIndex: index,
  });
}
