/** `stat`: whose log it is, what it holds, and its files. */

import { join } from "node:path";
import type { FileSystem } from "../file-system.ts";
import type { HardState, LogPosition } from "../log-entry.ts";
import { isBefore, type StreamPosition } from "../log-mark.ts";
import { recoverLog, type RecoveredLog } from "../recovery.ts";
import type { Segment } from "../segment.ts";
import type { LogIdentity } from "../segment-header.ts";
import { scanSegment } from "../segment-scan.ts";
import { tableOf } from "./output.ts";
import { readSegmentFile } from "./segment-file.ts";

export interface SegmentSummary {
  readonly file: string;
  readonly state: "sealed" | "active" | "prepared";
  /** Of the file. */
  readonly bytes: number;
  /** Up to the end of its frames. */
  readonly usedBytes: number;
  readonly entryCount: number;
  /** `undefined` if it holds none. */
  readonly firstIndex: number | undefined;
  readonly lastIndex: number | undefined;
}

export interface LogSummary {
  readonly directory: string;
  readonly identity: LogIdentity;
  readonly formatVersion: number;
  readonly segmentCount: number;
  readonly bytes: number;
  readonly firstIndex: number;
  readonly last: LogPosition;
  /** The last entry that is known to be synced; more may be. */
  readonly syncedIndex: number;
  /** As far as the log says: the last commit index may not have been written. */
  readonly hardState: HardState;
  readonly base: LogPosition & { readonly configurationBytes: number };
  readonly tornBytes: number;
  readonly segments: readonly SegmentSummary[];
  /** Files that the next start removes. */
  readonly leftovers: readonly string[];
}

/** @throws LogError */
export function summarizeLog(fileSystem: FileSystem, directory: string): LogSummary {
  const log = recoverLog(fileSystem, directory, "read");
  const files = log.next === undefined ? log.segments : [...log.segments, log.next];
  for (const { file } of files) file.close();
  const active = log.segments.at(-1) as Segment;
  const activeName = nameIn(directory, active);
  const { bytes, seed, formatVersion } = readSegmentFile(fileSystem, directory, activeName);
  const { syncedThrough } = scanSegment(bytes, seed);
  const segments = files.map((segment) => {
    const state = segment === log.next ? "prepared" : segment === active ? "active" : "sealed";
    return summaryOf(nameIn(directory, segment), segment, state);
  });
  const names = new Set(segments.map(({ file }) => file));
  const { term, index, configuration } = log.state.base;
  return {
    directory,
    identity: active.header.identity,
    formatVersion,
    segmentCount: files.length,
    bytes: files.reduce((sum, { header }) => sum + header.segmentBytes, 0),
    firstIndex: index + 1,
    last: log.last,
    syncedIndex: syncedIndexOf(log, syncedThrough),
    hardState: log.state.hardState,
    base: { term, index, configurationBytes: configuration.byteLength },
    tornBytes: log.tornBytes,
    segments,
    leftovers: (fileSystem.list(directory) ?? []).filter(
      (name) => /\.(?:log|tmp)$/.test(name) && !names.has(name),
    ),
  };
}

/** A table for people. */
export function describeSummary(summary: LogSummary): string[] {
  const { identity, hardState, base, last, firstIndex, syncedIndex, leftovers } = summary;
  const isEmpty = last.index < firstIndex;
  const rows: [string, string][] = [
    ["directory", summary.directory],
    ["cluster", identity.clusterId],
    ["group", `${identity.groupId}`],
    ["node", `${identity.nodeId}`],
    ["incarnation", `${identity.incarnation}`],
    ["format version", `${summary.formatVersion}`],
    ["term", `${hardState.currentTerm}`],
    ["vote", hardState.votedFor === undefined ? "none" : `node ${hardState.votedFor}`],
    ["base", positionText(base)],
    ["first entry", isEmpty ? "none" : `${firstIndex}`],
    ["last entry", isEmpty ? "none" : positionText(last)],
    ["synced", `${syncedIndex}, or more: a sync is noted by the write after it`],
    ["committed", `${hardState.commitIndex}, or more: it is written with the entries after it`],
    ["applied", "the state machine knows: the log does not say"],
    ["torn", summary.tornBytes === 0 ? "nothing" : `${summary.tornBytes} bytes, cut at the start`],
    ["segments", `${summary.segmentCount}, ${summary.bytes} bytes`],
    ...(leftovers.length === 0 ? [] : [["leftovers", leftovers.join(" ")] as [string, string]]),
  ];
  const titles = ["file", "state", "bytes", "used", "entries", "first", "last"];
  const cells = summary.segments.map((segment) => [
    segment.file,
    segment.state,
    segment.bytes,
    segment.usedBytes,
    segment.entryCount,
    segment.firstIndex ?? "-",
    segment.lastIndex ?? "-",
  ]);
  return [...tableOf(rows), "", ...tableOf([titles, ...cells])];
}

function positionText({ term, index }: LogPosition): string {
  return index === 0 ? "0" : `${index} of term ${term}`;
}

function nameIn(directory: string, { file }: Segment): string {
  return file.path.slice(join(directory, "/").length);
}

function summaryOf(
  file: string,
  { table, header, end }: Segment,
  state: SegmentSummary["state"],
): SegmentSummary {
  const { count } = table;
  return {
    file,
    state,
    bytes: header.segmentBytes,
    usedBytes: end,
    entryCount: count,
    firstIndex: count === 0 ? undefined : table.firstIndex,
    lastIndex: count === 0 ? undefined : table.lastIndex,
  };
}

/** The last entry of the log as it is now that lies before the position. */
function syncedIndexOf({ segments, state }: RecoveredLog, syncedThrough: StreamPosition): number {
  let synced = state.base.index;
  for (const { table, id } of segments) {
    if (table.count === 0) continue;
    let index = table.lastIndex;
    const isSynced = (): boolean =>
      isBefore({ segmentId: id, offset: table.offsetOf(index) }, syncedThrough);
    while (index >= table.firstIndex && !isSynced()) index -= 1;
    if (index >= table.firstIndex) synced = Math.max(synced, index);
  }
  return synced;
}
