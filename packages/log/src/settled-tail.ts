/**
 * Making sure that what was read at the end of a log is on its disk, before anything rests on it.
 *
 * What was read may stand in no more than the page cache, and a sync that failed in a former life
 * has left pages that look clean (fsync-gate, ATC '20). So it is written again.
 */

import type { OpenFile } from "./file-system.ts";
import { LogError } from "./log-error.ts";
import { SEGMENT_HEADER_BYTES, type SegmentHeader } from "./segment-header.ts";
import type { SegmentScan } from "./segment-scan.ts";

/**
 * Writes the tail again and syncs it. Whatever stands behind it is wiped, sound or not: a header
 * whose payload was lost would be found again when a later crash leaves the right bytes behind it.
 *
 * @param bytes - The whole file, as it was scanned; wiped, too.
 * @throws LogError `LOG_FAILED`
 */
export function settleTail(
  { header, file }: { readonly header: SegmentHeader; readonly file: OpenFile },
  bytes: Buffer,
  scan: SegmentScan,
): void {
  const { syncedThrough } = scan;
  const from =
    syncedThrough.segmentId === header.segmentId ? syncedThrough.offset : SEGMENT_HEADER_BYTES;
  // Behind a footer nothing is written any more.
  const end = scan.hasFooter ? scan.end : endOfTraces(bytes, scan.end);
  bytes.fill(0, scan.end, end);
  let hasLostWrites = false;
  try {
    if (end > from) file.writeNow(bytes.subarray(from, end), from);
    // A write that fails loses nothing of what stands there; a sync does.
    hasLostWrites = true;
    file.syncNow();
  } catch (cause) {
    throw new LogError("LOG_FAILED", "the recovered tail cannot be written", {
      file: file.path,
      offset: from,
      cause,
      hasLostWrites,
    });
  }
}

/** The end of what is not zero from `from` on. */
export function endOfTraces(bytes: Buffer, from: number): number {
  let end = bytes.length;
  while (end > from && bytes[end - 1] === 0) end -= 1;
  return end;
}
