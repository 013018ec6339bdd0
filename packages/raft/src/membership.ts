/**
 * Changes of membership (paper §6, thesis §4): proposed like commands, in force once *applied*.
 *
 * At most one change is in the log and not applied, so adjacent configurations always overlap; and
 * a new leader proposes none before its no-op is committed, because its predecessors' changes count
 * as not applied until then (Ongaro, raft-dev 2015).
 */

import { assert, sometimes } from "@quorumlog/std";
import { type Configuration, findMember, isJoint, isVoter, memberIn } from "./configuration.ts";
import {
  changeProblem,
  type ConfigurationChange,
  decodeConfigurationChange,
  encodeConfigurationChange,
  isLeaveJoint,
  LEAVE_JOINT,
} from "./configuration-change.ts";
import { applyChange, type ChangedConfiguration } from "./configuration-changer.ts";
import { maybeCommit } from "./commit.ts";
import type { CoreState } from "./core-state.ts";
import { type Entry, NO_DATA } from "./entry.ts";
import { appendToLog } from "./leader-log.ts";
import { dropped } from "./proposals.ts";
import type { NodeId } from "./ids.ts";
import type { ProposeResult } from "./propose-result.ts";
import { voteResult } from "./quorum.ts";
import { broadcastAppend, maybeSendAppend } from "./replication.ts";
import type { Leader } from "./role.ts";
import { abortTransfer } from "./transfer.ts";
import { becomeFollower } from "./transitions.ts";

export function proposeConfigurationChange(
  core: CoreState,
  change: ConfigurationChange,
): ProposeResult {
  const malformed = changeProblem(change);
  if (malformed !== undefined) return { status: "refused", reason: malformed };
  const leader = core.leader();
  if (leader === undefined)
    return dropped(core, core.leaderId === undefined ? "no-leader" : "not-leader");
  if (!core.isMember()) return dropped(core, "removed");
  if (leader.transfer !== undefined) return dropped(core, "overloaded");

  const reason = core.options.validateConfigurationChanges
    ? refusalReason(core, leader, change)
    : undefined;
  if (reason === undefined) return appendChange(core, leader, change);
  const { configuration } = core;
  core.emit({ type: "configurationChangeRefused", change, configuration, reason });
  // An empty entry takes its place, so that what was proposed after it keeps its distance.
  if (appendToLog(core, leader, [{ kind: "normal", data: NO_DATA }]) !== undefined)
    broadcastAppend(core, leader);
  return { status: "refused", reason };
}

function appendChange(core: CoreState, leader: Leader, change: ConfigurationChange): ProposeResult {
  const data = encodeConfigurationChange(change);
  const index = appendToLog(core, leader, [{ kind: "configuration", data }]);
  if (index === undefined) return dropped(core, "overloaded");
  leader.pendingConfigurationIndex = index;
  core.emit({ type: "configurationChangeProposed", index, change });
  broadcastAppend(core, leader);
  return { status: "appended", firstIndex: index, lastIndex: index, term: core.currentTerm };
}

/** Why the change does not fit now; `undefined` if it does. */
function refusalReason(
  core: CoreState,
  leader: Leader,
  change: ConfigurationChange,
): string | undefined {
  const { pendingConfigurationIndex } = leader;
  const { appliedIndex } = core.log;
  if (pendingConfigurationIndex > appliedIndex)
    return (
      `possible unapplied conf change at index ${pendingConfigurationIndex} ` +
      `(applied to ${appliedIndex})`
    );
  const joint = isJoint(core.configuration);
  if (joint && !isLeaveJoint(change)) return "must transition out of joint config first";
  if (!joint && isLeaveJoint(change)) return "not in joint state; refusing empty conf change";
  // The configuration cannot change before this entry is applied, so a rehearsal tells the truth.
  const outcome = applyChange(core.configuration, change);
  if (!outcome.ok) return outcome.problem;
  return joint ? undefined : suspicionProblem(leader, outcome.configuration);
}

/** Who is suspect cannot elect the leader that it needs to catch up. */
function suspicionProblem(leader: Leader, next: Configuration): string | undefined {
  const mayVote = (id: NodeId): boolean => leader.tracker.get(id)?.isSuspect !== true;
  if (voteResult(next, mayVote) === "won") return undefined;
  return "too many of the voters would be suspect; wait until they have caught up";
}

/**
 * Puts a committed change in force. One that does not fit changes nothing, on every node alike.
 * Called by the driver for each configuration entry, in order, while it applies.
 */
export function applyConfigurationChange(core: CoreState, entry: Entry): void {
  assert(entry.kind === "configuration", "only configuration entries change the configuration");
  assert(entry.index <= core.log.commitIndex, "only what is committed is applied");
  // A snapshot that was taken in meanwhile has this change, and perhaps later ones.
  if (entry.index <= core.configurationIndex) return;
  core.configurationIndex = entry.index;
  const change = decodeConfigurationChange(entry.data);
  if (change === undefined) return;
  const outcome = applyChange(core.configuration, change);
  if (outcome.ok) switchConfiguration(core, outcome);
}

/** Takes a configuration over, and reacts to what it means for this node and its followers. */
export function switchConfiguration(core: CoreState, changed: ChangedConfiguration): void {
  const { configuration } = changed;
  core.configuration = configuration;
  core.emit({ type: "configurationSwitched", configuration });
  const leader = core.leader();
  if (leader === undefined) return;
  leader.tracker.reconcile(changed, core.log.lastIndex());

  const isLearner = memberIn(configuration.learners, core.id) !== undefined;
  if (!core.isMember() || isLearner) {
    sometimes("leader removed");
    // A later life under this node's id cannot be spoken to from here, so there is no choice then.
    const isReplaced = !core.isMember() && findMember(configuration, core.id) !== undefined;
    if (core.options.stepDownOnRemoval || isReplaced) becomeFollower(core, core.currentTerm);
    return;
  }
  if (maybeCommit(core, leader)) broadcastAppend(core, leader);
  else probeMembers(core, leader);
  const transferee = leader.transfer?.transferee;
  if (transferee !== undefined && !isVoter(configuration, transferee))
    abortTransfer(core, leader, "removed");
}

/** New members need not wait for a heartbeat or a proposal. */
function probeMembers(core: CoreState, leader: Leader): void {
  for (const progress of leader.tracker.all())
    if (progress.id !== core.id) maybeSendAppend(core, progress, "with-entries");
}

/**
 * Proposes to leave a joint configuration that asks for it, once it is applied: whoever leads then,
 * and exactly once, because the proposal itself counts as a pending change.
 */
export function maybeAutoLeave(core: CoreState): void {
  const leader = core.leader();
  if (leader === undefined || !core.configuration.autoLeave) return;
  if (core.log.appliedIndex < leader.pendingConfigurationIndex) return;
  if (leader.transfer !== undefined) return;
  if (!core.isMember()) return;
  const { configuration } = core;
  const result = appendChange(core, leader, LEAVE_JOINT);
  assert(result.status === "appended", "leaving always fits");
  core.emit({ type: "autoLeaveProposed", configuration });
}
