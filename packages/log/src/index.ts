// What a user of the log needs.
export type { After, AsyncFlush } from "./async-flush.ts";
export { cachedFileSystem, nodeFileSystem } from "./node-file-system.ts";
export type { HardState, LogBase, LogEntry, LogEntryKind, LogPosition } from "./log-entry.ts";
export { LogError, type LogErrorCode, type LogErrorDetails } from "./log-error.ts";
export { type LogOptions, LogOptionsError, parseLogOptions } from "./log-options.ts";
export type { AppendBatch, EntryRange, LogStatus, LogStore } from "./log-store.ts";
export { createLog, type LogPlace } from "./create-log.ts";
export { type SegmentLogInit, SegmentLogStore } from "./segment-log-store.ts";
export { inspectLog, type LogInspection } from "./inspection/inspect-log.ts";
export { UsageError as LogUsageError } from "./inspection/request.ts";
export type { LogIdentity } from "./segment-header.ts";

// For other packages of the project, and for those who bring their own disk.
export type { DirectoryLock, Done, FileSystem, OpenFile } from "./file-system.ts";
export type { LateSync } from "./background-sync.ts";
export { isNoSpace } from "./no-space.ts";
export { DamagedLog } from "./repair/damaged-log.ts";
export {
  type FetchEntries,
  PrecededOtherwise,
  type SegmentRepaired,
  type WantedEntries,
} from "./repair/segment-refill.ts";
export type { SealedSegments } from "./repair/sealed-segments.ts";
