/** Reads one snapshot, chunk by chunk; nothing leaves it that was not verified. */

import type { OpenFile } from "@quorumlog/log";
import type { Configuration } from "@quorumlog/raft";
import { SnapshotError, translatedSnapshotError } from "./snapshot-error.ts";
import {
  CHUNK_HEADER_BYTES,
  decodeTrailer,
  SNAPSHOT_TRAILER_BYTES,
  snapshotFileBytes,
} from "./snapshot-file.ts";
import { SNAPSHOT_HEADER_BYTES, type SnapshotHeader } from "./snapshot-header.ts";
import type { SnapshotPosition } from "./snapshot-name.ts";
import { type SnapshotOwner, SnapshotVerifier } from "./snapshot-verifier.ts";

export interface SnapshotMeta extends SnapshotPosition {
  /** In force behind `index`. */
  readonly configuration: Configuration;
  /** Of the file. */
  readonly bytes: number;
}

export class SnapshotReader {
  readonly meta: SnapshotMeta;
  readonly #file: OpenFile;
  readonly #verifier: SnapshotVerifier;
  #isClosed = false;

  /**
   * Looks at the two ends of a file: chunks are verified as they are read.
   *
   * @param file - Belongs to the reader, unless it throws.
   * @throws SnapshotError if it is not a whole snapshot of that owner and position.
   */
  constructor(file: OpenFile, owner: SnapshotOwner, position: SnapshotPosition) {
    const bytes = translatedSnapshotError("a snapshot cannot be read", file.path, () =>
      file.size(),
    );
    const offer = { ...position, bytes };
    this.#file = file;
    this.#verifier = new SnapshotVerifier({ owner, offer, file: file.path });
    this.#verifier.push(this.#read(0, Math.min(bytes, SNAPSHOT_HEADER_BYTES)));
    const header = this.#verifier.header;
    if (header === undefined) throw this.#corrupt("a snapshot is cut short", bytes);
    this.#demandTrailer(header, bytes);
    this.meta = { ...position, configuration: header.configuration, bytes };
  }

  /**
   * The payload of the next chunk; `undefined` behind the last one, and the reader is closed then.
   *
   * @returns bytes that are the caller's.
   * @throws SnapshotError `SNAPSHOT_CORRUPT`, `SNAPSHOT_FAILED`
   */
  next(): Uint8Array | undefined {
    if (this.#isClosed) return undefined;
    const verifier = this.#verifier;
    const unit = this.#read(verifier.boundary, verifier.nextBytes);
    verifier.push(unit);
    if (!verifier.isComplete) return unit.subarray(CHUNK_HEADER_BYTES);
    this.close();
    return undefined;
  }

  /** Ends it before its time. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#file.close();
  }

  #demandTrailer(header: SnapshotHeader, bytes: number): void {
    const offset = bytes - SNAPSHOT_TRAILER_BYTES;
    const trailer = decodeTrailer(this.#read(offset, SNAPSHOT_TRAILER_BYTES));
    if (trailer === undefined) throw this.#corrupt("a snapshot has no sound trailer", offset);
    if (snapshotFileBytes(trailer.payloadBytes, header.chunkBytes) !== bytes)
      throw this.#corrupt("a snapshot is not as long as it has to be", offset);
  }

  #read(offset: number, length: number): Buffer {
    const file = this.#file;
    const block = Buffer.allocUnsafeSlow(length);
    const count = translatedSnapshotError("a snapshot cannot be read", file.path, () =>
      file.readNow(block, offset),
    );
    if (count < length) throw this.#corrupt("a snapshot is cut short", offset + count);
    return block;
  }

  #corrupt(message: string, offset: number): SnapshotError {
    return new SnapshotError("SNAPSHOT_CORRUPT", message, { file: this.#file.path, offset });
  }
}
