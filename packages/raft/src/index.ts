// What a user of the core needs.
export {
  type Configuration,
  EMPTY_CONFIGURATION,
  findMember,
  isJoint,
  isVoter,
  type Member,
} from "./configuration.ts";
export {
  type ConfigurationChange,
  decodeConfigurationChange,
  encodeConfigurationChange,
  LEAVE_JOINT,
  type MemberChange,
  type MemberOperation,
  type Transition,
} from "./configuration-change.ts";
export type { RaftCoreInit } from "./core-state.ts";
export type { DropCounts, DropReason } from "./drop-reason.ts";
export { type Entry, entryBytes, type EntryKind, type LogPosition } from "./entry.ts";
export type { RaftEvent, RaftEventType, RaftObserver } from "./events.ts";
export type { Incarnation, LogIndex, NodeId, Term, Ticks } from "./ids.ts";
export type { InitialState, LogStorage } from "./log-storage.ts";
export type { Loss } from "./loss.ts";
export { MemoryLogStorage } from "./memory-log-storage.ts";
export type {
  AppendEntries,
  AppendEntriesReply,
  Heartbeat,
  HeartbeatReply,
  InstallSnapshot,
  Message,
  MessageType,
  ReadIndexReply,
  ReadIndexRequest,
  RequestPreVote,
  RequestPreVoteReply,
  RequestVote,
  RequestVoteReply,
  TimeoutNow,
  TransferLeadershipRequest,
} from "./message.ts";
export { parseRaftOptions, type RaftOptions, RaftOptionsError } from "./options.ts";
export type { ProgressState, ProgressView } from "./progress.ts";
export type { ProposalDropReason, ProposeResult } from "./propose-result.ts";
export { RaftCore } from "./raft-core.ts";
export type {
  AppendDone,
  AppendWork,
  ApplyDone,
  ApplyWork,
  HardState,
  ParkedOutcome,
  ReadState,
  Ready,
  RoleName,
  SoftState,
  Status,
} from "./ready.ts";
export type { Snapshot } from "./snapshot.ts";
export { InvariantViolation } from "@quorumlog/std";

// For other packages of the project: the parts, by themselves.
export {
  allMembers,
  allVoters,
  configurationProblem,
  configurationsEqual,
} from "./configuration.ts";
export {
  applyChange,
  type ChangedConfiguration,
  type ChangeOutcome,
  enterJoint,
  leaveJoint,
  simpleChange,
} from "./configuration-changer.ts";
export { messageProblem } from "./message-problem.ts";
export { ProgressTracker } from "./progress-tracker.ts";
export {
  majorityIndex,
  majorityOf,
  majorityVote,
  quorumIndex,
  type VoteResult,
  voteResult,
} from "./quorum.ts";
