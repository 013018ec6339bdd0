/**
 * What stands before each payload, little endian:
 *
 *     0         4         8         12          16
 *     | length  | groupId | kind    | checksum  | payload ...
 *
 * The checksum (CRC-32) is of the twelve bytes before it: a length is not believed without. The
 * payload carries sums of its own, made where its bytes are made.
 */

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
const TABLE = makeTable();

export function writeFrameHeader(target: Buffer, { length, groupId, kind }: FrameHeader): void {
  target.writeUInt32LE(length, 0);
  target.writeUInt32LE(groupId, 4);
  target.writeUInt32LE(kind, 8);
  target.writeUInt32LE(headerChecksum(target), CHECKED_BYTES);
}

/** A frame without a payload. */
export function bareFrame(kind: FrameKind): Buffer {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES);
  writeFrameHeader(frame, { length: 0, groupId: 0, kind });
  return frame;
}

/** @returns what is wrong with the header, if anything is. */
export function headerProblem(header: Buffer, lengthMax: number): FrameProblem | undefined {
  if (header.readUInt32LE(CHECKED_BYTES) !== headerChecksum(header)) return "checksum";
  const length = header.readUInt32LE(0);
  const kind = header.readUInt32LE(8);
  if (kind === FRAME_DATA) return length > lengthMax ? "length" : undefined;
  if (kind !== FRAME_PING && kind !== FRAME_PONG) return "kind";
  return length === 0 ? undefined : "length";
}

/** In plain JavaScript: for so few bytes, a call into zlib costs several times as much. */
function headerChecksum(header: Uint8Array): number {
  let sum = ~0;
  for (let i = 0; i < CHECKED_BYTES; i++)
    sum = (TABLE[(sum ^ (header[i] as number)) & 0xff] as number) ^ (sum >>> 8);
  return ~sum >>> 0;
}

/** RFC 1952, section 8. */
function makeTable(): Int32Array {
  const table = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let sum = byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
    table[byte] = sum;
  }
  return table;
}
