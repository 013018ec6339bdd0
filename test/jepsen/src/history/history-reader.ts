/** Histories of any length from files: that of an hour is longer than a text may be. */

import { closeSync, openSync, readSync } from "node:fs";
import type { HistoryEvent } from "./history-event.ts";
import { parseLine } from "./history-file.ts";

const PIECE_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

export interface ReadHistoryOptions {
  /** It is written to: what is behind its last end of line may be a part of one. Default false. */
  readonly isGrowing?: boolean;
  /** Read at a time; default 1 MiB. */
  readonly pieceBytes?: number;
}

/**
 * Empty lines are passed over.
 *
 * @throws HistoryError which names the line, and what it should have been; Error of the file system
 */
export function readHistory(
  path: string,
  { isGrowing = false, pieceBytes = PIECE_BYTES }: ReadHistoryOptions = {},
): HistoryEvent[] {
  const events: HistoryEvent[] = [];
  let number = 0;
  const add = (bytes: Buffer): void => {
    number += 1;
    const line = bytes.toString().trim();
    if (line !== "") events.push(parseLine(line, number));
  };
  let rest: Buffer = Buffer.alloc(0);
  for (const piece of piecesOf(path, pieceBytes)) {
    let from = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, from)) {
      const line = piece.subarray(from, end);
      add(rest.length === 0 ? line : Buffer.concat([rest, line]));
      rest = Buffer.alloc(0);
      from = end + 1;
    }
    rest = Buffer.concat([rest, piece.subarray(from)]);
  }
  if (!isGrowing) add(rest);
  return events;
}

/** Each is good until the next one. */
function* piecesOf(path: string, bytes: number): Generator<Buffer> {
  const descriptor = openSync(path, "r");
  try {
    const piece = Buffer.alloc(bytes);
    for (;;) {
      const count = readSync(descriptor, piece, 0, bytes, null);
      if (count === 0) return;
      yield piece.subarray(0, count);
    }
  } finally {
    closeSync(descriptor);
  }
}
