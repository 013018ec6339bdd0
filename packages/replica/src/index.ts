// What an application imports.
export { ReplicatedLog } from "./replicated-log.ts";
export type { AppendAck, AppendOptions, LogOptions, SessionOptions } from "./replicated-log.ts";
export type { ReadOptions, TailOptions } from "./retained-log.ts";
export {
  type CommandsAccepted,
  type CommandsApplied,
  type ExecuteOptions,
  type MachineOptions,
  ReplicatedStateMachine,
  type SubmitOptions,
} from "./replicated-state-machine.ts";
export type { Machine, RecordBatch, StatePosition } from "./machine.ts";
export {
  type Checkpoint,
  type CheckpointCut,
  CheckpointError,
  type CheckpointErrorCode,
  type CheckpointInit,
  type CheckpointPosition,
  type CheckpointRow,
} from "./checkpoint.ts";
export { MemoryTable } from "./memory-table.ts";
export { LogSession, type SessionAppendOptions } from "./log-session.ts";
export { ReplicaError, type ReplicaErrorCode, type Outcome } from "./replica-error.ts";
export { ReplicaOptionsError, type ReplicaTuning } from "./replica-options.ts";
export type { CallOptions, GroupStatus, WriteOptions } from "./replicated-group.ts";
export type { DiskStatus } from "./group-duties.ts";
export type { LogCondition } from "./log-care.ts";
export type { Durability } from "./append-call.ts";
export type { AsyncFlushOptions, Flush } from "./flush-mode.ts";
export type { LogRecord, ReadResult } from "./record-reader.ts";
export type { NodeOptions } from "./node-options.ts";
export type { IfMissing } from "./open-group.ts";
export type { ReplicaEvent, ReplicaEventListener } from "./replica-event.ts";
export { type Environment, nodeEnvironment } from "./environment.ts";

// What a package beside this one stands on.
export { demandNodeOptions } from "./node-option-problems.ts";
export { PieceSource } from "./piece-source.ts";
