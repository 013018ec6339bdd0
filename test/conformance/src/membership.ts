/** How configurations and replication progress are printed. */

import type { Configuration, Member, ProgressView } from "@quorumlog/raft";

const STATES: Readonly<Record<ProgressView["state"], string>> = {
  probe: "StateProbe",
  replicate: "StateReplicate",
  snapshot: "StateSnapshot",
};

/** As `voters=(1 2)&&(1) learners=(3) learners_next=(4) autoleave`. */
export function describeConfiguration(configuration: Configuration): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = configuration;
  let text = `voters=${idSet(voters)}`;
  if (votersOutgoing.length > 0) text += `&&${idSet(votersOutgoing)}`;
  if (learners.length > 0) text += ` learners=${idSet(learners)}`;
  if (learnersNext.length > 0) text += ` learners_next=${idSet(learnersNext)}`;
  if (autoLeave) text += " autoleave";
  return text;
}

/** As `StateReplicate match=11 next=12 learner paused pendingSnap=9 inactive inflight=3[full]`. */
export function describeProgress(progress: ProgressView): string {
  let text = `${STATES[progress.state]} match=${progress.matchIndex} next=${progress.nextIndex}`;
  if (progress.isLearner) text += " learner";
  if (progress.isPaused) text += " paused";
  if (progress.pendingSnapshotIndex > 0) text += ` pendingSnap=${progress.pendingSnapshotIndex}`;
  if (!progress.recentActive) text += " inactive";
  if (progress.inflightCount > 0) text += ` inflight=${progress.inflightCount}`;
  if (progress.inflightCount > 0 && progress.inflightFull) text += "[full]";
  return text;
}

/** One line for each member, ascending by id. */
export function describeProgresses(progresses: readonly ProgressView[]): string {
  return progresses.map((progress) => `${progress.id}: ${describeProgress(progress)}\n`).join("");
}

function idSet(members: readonly Member[]): string {
  return `(${members.map(({ id }) => id).join(" ")})`;
}
