/**
 * What clients write: a value into one of a few registers, in a session, so that a retried write is
 * applied once.
 *
 * Bytes, little-endian: key u8, then u32 each of client, serial, value, attempt; then padding, so
 * that limits in bytes have something to bite on.
 */

export interface WriteCommand {
  readonly key: number;
  readonly client: number;
  /** Rises by one with each write of the client; a retry keeps it. */
  readonly serial: number;
  /** Unique in the run: no two writes, retries aside, write the same. */
  readonly value: number;
  /** Unique in the run, retries included. */
  readonly attempt: number;
}

const HEADER_BYTES = 17;

export function encodeCommand(command: WriteCommand, paddingBytes: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + paddingBytes);
  bytes[0] = command.key;
  writeUint32(bytes, 1, command.client);
  writeUint32(bytes, 5, command.serial);
  writeUint32(bytes, 9, command.value);
  writeUint32(bytes, 13, command.attempt);
  return bytes;
}

/** @returns `undefined` for what no client wrote. */
export function decodeCommand(bytes: Uint8Array): WriteCommand | undefined {
  if (bytes.byteLength < HEADER_BYTES) return undefined;
  return {
    key: bytes[0] as number,
    client: readUint32(bytes, 1),
    serial: readUint32(bytes, 5),
    value: readUint32(bytes, 9),
    attempt: readUint32(bytes, 13),
  };
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value & 0xff;
  bytes[at + 1] = (value >>> 8) & 0xff;
  bytes[at + 2] = (value >>> 16) & 0xff;
  bytes[at + 3] = (value >>> 24) & 0xff;
}

export function readUint32(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
  const high = (bytes[at + 2] as number) | ((bytes[at + 3] as number) << 8);
  return (low | (high << 16)) >>> 0;
}
