/** Length-framed bytes on a socket, for the spike: `{length, crc, index}`, then the payload. */

import type { Socket } from "node:net";

export const FRAME_HEADER_BYTES = 16;

export function frameHeader(length: number, crc: number, index: number): Buffer {
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  header.writeUInt32LE(length, 0);
  header.writeUInt32LE(crc, 4);
  header.writeDoubleLE(index, 8);
  return header;
}

/** Calls back with each frame in the chunks it arrived in: nothing is copied but a split header. */
export function readFrames(
  socket: Socket,
  onFrame: (header: Buffer, parts: Buffer[]) => void,
): void {
  let header: Buffer = Buffer.alloc(0);
  let parts: Buffer[] = [];
  let missing = 0;
  socket.on("data", (chunk: Buffer) => {
    let rest = chunk;
    for (;;) {
      if (header.length < FRAME_HEADER_BYTES) {
        const lacking = FRAME_HEADER_BYTES - header.length;
        const head = rest.subarray(0, lacking);
        header = header.length === 0 ? head : Buffer.concat([header, head]);
        rest = rest.subarray(head.length);
        if (header.length < FRAME_HEADER_BYTES) return;
        missing = header.readUInt32LE(0);
      }
      const body = rest.subarray(0, missing);
      if (body.length > 0) parts.push(body);
      missing -= body.length;
      rest = rest.subarray(body.length);
      if (missing > 0) return;
      onFrame(header, parts);
      header = Buffer.alloc(0);
      parts = [];
      if (rest.length === 0) return;
    }
  });
}
