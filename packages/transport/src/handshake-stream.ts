/** The bytes of a handshake, as they come: never more than one message is held. */

import { HANDSHAKE_BYTES_MAX } from "./handshake-message.ts";

const LENGTH_BYTES = 4;

export class HandshakeStream {
  #bytes: Buffer = Buffer.alloc(0);

  /** @returns false if more came than a handshake has. */
  push(chunk: Uint8Array): boolean {
    const bytes = this.#bytes.byteLength + chunk.byteLength;
    if (bytes > LENGTH_BYTES + HANDSHAKE_BYTES_MAX) return false;
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    return true;
  }

  /** Takes so many bytes, once they are there. */
  take(count: number): Buffer | undefined {
    if (this.#bytes.byteLength < count) return undefined;
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }

  /** Takes a message behind its length, once it is there; "tooLong" if it never will be. */
  takeMessage(): Buffer | "tooLong" | undefined {
    if (this.#bytes.byteLength < LENGTH_BYTES) return undefined;
    const length = this.#bytes.readUInt32LE(0);
    if (length > HANDSHAKE_BYTES_MAX) return "tooLong";
    return this.take(LENGTH_BYTES + length)?.subarray(LENGTH_BYTES);
  }

  /** Takes what is left. */
  takeRest(): Buffer {
    const rest = this.#bytes;
    this.#bytes = Buffer.alloc(0);
    return rest;
  }
}

/** A message behind its length. */
export function lengthPrefixed(message: Uint8Array): Buffer {
  const bytes = Buffer.alloc(LENGTH_BYTES + message.byteLength);
  bytes.writeUInt32LE(message.byteLength);
  bytes.set(message, LENGTH_BYTES);
  return bytes;
}
