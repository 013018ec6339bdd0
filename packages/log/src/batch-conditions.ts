/** What has to be true of a batch before any of it is appended. */

import { assert } from "@quorumlog/std";
import { demandConfigurationFits } from "./create-log.ts";
import { EntryTable } from "./entry-table.ts";
import { frameBytes } from "./frame.ts";
import { SEAL_RESERVE_BYTES } from "./frame-writer.ts";
import type { HardState, LogBase } from "./log-entry.ts";
import { LogError } from "./log-error.ts";
import { stateBytes } from "./log-mark.ts";
import type { LogOptions } from "./log-options.ts";
import type { AppendBatch } from "./log-store.ts";
import { TRAILER_BYTES } from "./segment.ts";
import { SEGMENT_HEADER_BYTES } from "./segment-header.ts";

const EMPTY_TABLE_BYTES = new EntryTable().encodedBytes;

/**
 * Nothing of a batch is written that has no place as a whole.
 *
 * @throws LogError `LOG_TOO_LARGE`
 */
export function demandFit(
  { reset, entries }: AppendBatch,
  base: LogBase,
  options: LogOptions,
): void {
  if (reset !== undefined) demandConfigurationFits(reset, options);
  // A segment begins with a state, and a batch may bring another.
  const states = 2 * frameBytes(stateBytes({ base: reset ?? base }));
  const around = SEGMENT_HEADER_BYTES + states + EMPTY_TABLE_BYTES + SEAL_RESERVE_BYTES;
  const room = options.segmentBytes - around - TRAILER_BYTES;
  for (const { data, index } of entries)
    if (frameBytes(data.byteLength) > room)
      throw new LogError(
        "LOG_TOO_LARGE",
        `entry ${index} has ${data.byteLength} bytes, and may have ${room - frameBytes(0)}: ` +
          "raise segmentBytes",
      );
}

/** What no replica should ask for: the log would not open again, or a promise would be broken. */
export function demandSound(batch: AppendBatch, now: HardState, lastIndex: number): void {
  const { hardState, reset, entries } = batch;
  if (reset !== undefined)
    assert(reset.index > now.commitIndex, "a snapshot brings what is not known yet");
  const known = reset?.index ?? now.commitIndex;
  const first = entries[0];
  if (first !== undefined) assert(first.index > known, "what is committed is not rewritten");
  for (const { checksum } of entries)
    assert(checksum === undefined || checksum >>> 0 === checksum, "a checksum has 32 bits");
  if (hardState === undefined) return;
  const last = entries.at(-1)?.index ?? Math.max(reset?.index ?? 0, lastIndex);
  assert(hardState.commitIndex <= last, "what is committed is in the log");
  assert(hardState.currentTerm >= now.currentTerm, "a term does not go back");
  assert(hardState.votedFor !== 0, "a vote is for a node");
}
