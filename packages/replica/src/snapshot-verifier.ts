/**
 * Checks the bytes of a snapshot file as they come along, in order, in pieces of any size.
 *
 *     boundary: up to here every block, chunk and trailer is whole and sound
 *        │
 *     ───┴──────────┬ ─ ─ ─ ─ ─
 *      sound so far │ not there yet
 *     ──────────────┴ ─ ─ ─ ─ ─
 *                   └ offset: the next byte
 *
 * What is refused leaves no trace: it goes back to the boundary, from where other bytes may follow.
 * A sound trailer that does not fit says that what precedes it is not its snapshot: back to the
 * start.
 */

import { crc32 } from "node:zlib";
import { assert } from "@quorumlog/std";
import { SnapshotError } from "./snapshot-error.ts";
import {
  addChunkChecksum,
  CHUNK_HEADER_BYTES,
  chunkLengthAt,
  decodeTrailer,
  SNAPSHOT_TRAILER_BYTES,
} from "./snapshot-file.ts";
import {
  decodeSnapshotHeader,
  headerChecksum,
  SNAPSHOT_HEADER_BYTES,
  type SnapshotHeader,
} from "./snapshot-header.ts";
import type { SnapshotOffer } from "./snapshot-name.ts";

/** Whose snapshots they are: those of anybody else are refused. */
export interface SnapshotOwner {
  readonly clusterId: string;
  readonly groupId: number;
}

export interface ExpectedSnapshot {
  readonly owner: SnapshotOwner;
  readonly offer: SnapshotOffer;
  /** To be named in errors. */
  readonly file: string;
}

export class SnapshotVerifier {
  readonly #expected: ExpectedSnapshot;
  #header: SnapshotHeader | undefined;
  #headerChecksum = 0;
  #boundary = 0;
  #chunkCount = 0;
  #payloadBytes = 0;
  #chunksChecksum = 0;
  /** What stands at the boundary, but for the payload of a chunk. */
  readonly #head: Buffer = Buffer.alloc(SNAPSHOT_HEADER_BYTES);
  #headFill = 0;
  /** Of a chunk at the boundary. */
  #payloadFill = 0;
  #payloadChecksum = 0;

  constructor(expected: ExpectedSnapshot) {
    this.#expected = expected;
  }

  /** As soon as it is there. */
  get header(): SnapshotHeader | undefined {
    return this.#header;
  }

  get boundary(): number {
    return this.#boundary;
  }

  get offset(): number {
    return this.#boundary + this.#headFill + this.#payloadFill;
  }

  /** Everything was there, and is sound. */
  get isComplete(): boolean {
    return this.#header !== undefined && this.#boundary === this.#expected.offer.bytes;
  }

  /** Whether the trailer comes next. */
  get #isAtTrailer(): boolean {
    const { bytes } = this.#expected.offer;
    return this.#header !== undefined && this.#boundary === bytes - SNAPSHOT_TRAILER_BYTES;
  }

  /** Of what stands at the boundary, as far as the layout tells; 0 if nothing does. */
  get nextBytes(): number {
    const header = this.#header;
    if (this.isComplete) return 0;
    if (header === undefined || this.#isAtTrailer) return this.#headBytes();
    return CHUNK_HEADER_BYTES + this.#chunkLength(header);
  }

  /** @throws SnapshotError `SNAPSHOT_CORRUPT`, `SNAPSHOT_FOREIGN`, `SNAPSHOT_VERSION` */
  push(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length;) at += this.#take(bytes.subarray(at));
    } catch (error) {
      this.#rewind();
      throw error;
    }
  }

  /** Goes back to the boundary. */
  #rewind(): void {
    this.#headFill = 0;
    this.#payloadFill = 0;
    this.#payloadChecksum = 0;
  }

  #restart(): void {
    this.#header = undefined;
    this.#boundary = 0;
    this.#chunkCount = 0;
    this.#payloadBytes = 0;
    this.#chunksChecksum = 0;
  }

  /** @returns how many bytes it took, one at least. */
  #take(bytes: Uint8Array): number {
    if (this.isComplete) throw this.#corrupt("bytes follow the end of a snapshot", this.#boundary);
    const headBytes = this.#headBytes();
    if (this.#headFill < headBytes) {
      const count = Math.min(headBytes - this.#headFill, bytes.length);
      this.#head.set(bytes.subarray(0, count), this.#headFill);
      this.#headFill += count;
      if (this.#headFill === headBytes) this.#onHead();
      return count;
    }
    const length = this.#head.readUInt32LE(0);
    const count = Math.min(length - this.#payloadFill, bytes.length);
    this.#payloadChecksum = crc32(bytes.subarray(0, count), this.#payloadChecksum);
    this.#payloadFill += count;
    if (this.#payloadFill === length) this.#onChunk(length);
    return count;
  }

  #headBytes(): number {
    if (this.#header === undefined) return SNAPSHOT_HEADER_BYTES;
    return this.#isAtTrailer ? SNAPSHOT_TRAILER_BYTES : CHUNK_HEADER_BYTES;
  }

  #chunkLength({ chunkBytes }: SnapshotHeader): number {
    return chunkLengthAt(this.#boundary, this.#expected.offer.bytes, chunkBytes);
  }

  #onHead(): void {
    const header = this.#header;
    if (header === undefined) this.#onHeader();
    else if (this.#isAtTrailer) this.#onTrailer();
    else {
      const length = this.#chunkLength(header);
      if (length < 1 || this.#head.readUInt32LE(0) !== length)
        throw this.#corrupt("a chunk is not as long as it has to be", this.#boundary);
    }
  }

  #onHeader(): void {
    const { owner, offer, file } = this.#expected;
    const header = decodeSnapshotHeader(this.#head, file);
    for (const field of ["clusterId", "groupId"] as const)
      if (header[field] !== owner[field])
        throw new SnapshotError(
          "SNAPSHOT_FOREIGN",
          `a snapshot of ${field} ${header[field]}, where ${owner[field]} was to be`,
          { file },
        );
    for (const field of ["index", "term"] as const)
      if (header[field] !== offer[field])
        throw this.#corrupt(
          `a snapshot of ${field} ${header[field]}, where ${offer[field]} was to be`,
          field === "index" ? 24 : 32,
        );
    if (offer.bytes < SNAPSHOT_HEADER_BYTES + SNAPSHOT_TRAILER_BYTES)
      throw this.#corrupt("a snapshot is cut short", offer.bytes);
    this.#header = header;
    this.#headerChecksum = headerChecksum(this.#head);
    this.#advance(SNAPSHOT_HEADER_BYTES);
  }

  #onChunk(length: number): void {
    const checksum = this.#head.readUInt32LE(4);
    if (this.#payloadChecksum !== checksum)
      throw this.#corrupt("a chunk is damaged", this.#boundary);
    this.#chunkCount += 1;
    this.#payloadBytes += length;
    this.#chunksChecksum = addChunkChecksum(this.#chunksChecksum, checksum);
    this.#advance(CHUNK_HEADER_BYTES + length);
  }

  #onTrailer(): void {
    const trailer = decodeTrailer(this.#head.subarray(0, SNAPSHOT_TRAILER_BYTES));
    const isFitting =
      trailer?.payloadBytes === this.#payloadBytes &&
      trailer.chunkCount === this.#chunkCount &&
      trailer.chunksChecksum === this.#chunksChecksum &&
      trailer.headerChecksum === this.#headerChecksum;
    if (!isFitting) {
      const error = this.#corrupt("a snapshot's trailer does not fit", this.#boundary);
      if (trailer !== undefined) this.#restart();
      throw error;
    }
    this.#advance(SNAPSHOT_TRAILER_BYTES);
  }

  #advance(bytes: number): void {
    this.#rewind();
    this.#boundary += bytes;
    assert(this.#boundary <= this.#expected.offer.bytes, "what is sound is within the file");
  }

  #corrupt(message: string, offset: number): SnapshotError {
    return new SnapshotError("SNAPSHOT_CORRUPT", message, { file: this.#expected.file, offset });
  }
}
