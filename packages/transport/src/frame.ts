/**
 * What stands before each payload, little endian:
 *
 *     0         4         8         12          16
 *     | length  | groupId | kind    | checksum  | payload ...
 *
 * The checksum (CRC-32) is of the twelve bytes before it: a length is not believed without. The
 * payload carries sums of its own, made where its bytes are made.
 */

import { smallChecksum } from "@quorumlog/std";

export const FRAME_HEADER_BYTES = 16;

export const FRAME_DATA = 1;
/** From the dialer: is anybody there? */
export const FRAME_PING = 2;
/** From the acceptor: what you sent arrives. */
export const FRAME_PONG = 3;

export type FrameKind = typeof FRAME_DATA | typeof FRAME_PING | typeof FRAME_PONG;

/** What makes the bytes of a connection worthless from here on. */
export type FrameProblem = "checksum" | "kind" | "length";

export interface FrameHeader {
  readonly length: number;
  readonly groupId: number;
  readonly kind: number;
}

const CHECKED_BYTES = 12;

export function writeFrameHeader(target: Buffer, { length, groupId, kind }: FrameHeader): void {
  target.writeUInt32LE(length, 0);
  target.writeUInt32LE(groupId, 4);
  target.writeUInt32LE(kind, 8);
  target.writeUInt32LE(smallChecksum(target, 0, CHECKED_BYTES), CHECKED_BYTES);
}

/** A frame without a payload. */
export function bareFrame(kind: FrameKind): Buffer {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES);
  writeFrameHeader(frame, { length: 0, groupId: 0, kind });
  return frame;
}

/** @returns what is wrong with the header, if anything is. */
export function headerProblem(header: Buffer, lengthMax: number): FrameProblem | undefined {
  if (header.readUInt32LE(CHECKED_BYTES) !== smallChecksum(header, 0, CHECKED_BYTES))
    return "checksum";
  const length = header.readUInt32LE(0);
  const kind = header.readUInt32LE(8);
  if (kind === FRAME_DATA) return length > lengthMax ? "length" : undefined;
  if (kind !== FRAME_PING && kind !== FRAME_PONG) return "kind";
  return length === 0 ? undefined : "length";
}
