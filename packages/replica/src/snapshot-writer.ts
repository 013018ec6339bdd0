/** Writes one snapshot in the background: a chunk is pulled when the one before it is written. */

import { crc32 } from "node:zlib";
import { InvariantViolation } from "@quorumlog/std";
import type { PartFile } from "./part-file.ts";
import {
  addChunkChecksum,
  CHUNK_HEADER_BYTES,
  encodeTrailer,
  SNAPSHOT_TRAILER_BYTES,
} from "./snapshot-file.ts";
import { headerChecksum, SNAPSHOT_HEADER_BYTES } from "./snapshot-header.ts";

export interface SnapshotWriterInit {
  readonly part: PartFile;
  /** The header, encoded. */
  readonly block: Buffer;
  /** The payload, in pieces of any size. */
  readonly pieces: Iterator<Uint8Array>;
  readonly chunkBytes: number;
  /** Which it gets in the end. */
  readonly name: string;
  /** @param bytes - Of the file. */
  readonly onDurable: (bytes: number) => void;
  /** The payload threw. */
  readonly onPiecesFailure: (cause: unknown) => void;
}

const NOTHING = new Uint8Array(0);

export class SnapshotWriter {
  readonly #init: SnapshotWriterInit;
  readonly #part: PartFile;
  /** What is left of the last piece. */
  #rest: Uint8Array = NOTHING;
  /** Header and payload of one chunk; used again when it is written. */
  readonly #chunk: Buffer;
  #position = 0;
  #chunkCount = 0;
  #payloadBytes = 0;
  #chunksChecksum = 0;

  constructor(init: SnapshotWriterInit) {
    this.#init = init;
    this.#part = init.part;
    this.#chunk = Buffer.allocUnsafeSlow(CHUNK_HEADER_BYTES + init.chunkBytes);
    this.#part.write(init.block, 0, () => {
      this.#position = SNAPSHOT_HEADER_BYTES;
      this.#writeNext();
    });
  }

  /** Gives up. What it has written is removed, if it can be. */
  abort(): void {
    if (this.#part.isOver) return;
    this.#part.remove();
    this.release();
  }

  /** Gives up, and touches nothing any more: a later start removes what is there. */
  close(): void {
    if (this.#part.isOver) return;
    this.#part.close();
    this.release();
  }

  /** The part is over already: lets go of the state. */
  release(): void {
    this.#init.pieces.return?.();
  }

  #writeNext(): void {
    let length: number;
    try {
      length = this.#fill();
    } catch (error) {
      this.#part.close();
      if (error instanceof InvariantViolation) throw error;
      this.#init.onPiecesFailure(error);
      return;
    }
    if (length === 0) this.#writeTrailer();
    else this.#writeChunk(length);
  }

  /** @returns how many bytes of payload the chunk has; 0 at the end. */
  #fill(): number {
    const { chunkBytes, pieces } = this.#init;
    let fill = 0;
    while (fill < chunkBytes) {
      if (this.#rest.byteLength === 0) {
        const next = pieces.next();
        if (next.done === true) break;
        this.#rest = next.value;
      }
      const count = Math.min(chunkBytes - fill, this.#rest.byteLength);
      this.#chunk.set(this.#rest.subarray(0, count), CHUNK_HEADER_BYTES + fill);
      this.#rest = this.#rest.subarray(count);
      fill += count;
    }
    return fill;
  }

  #writeChunk(length: number): void {
    const bytes = this.#chunk.subarray(0, CHUNK_HEADER_BYTES + length);
    const checksum = crc32(bytes.subarray(CHUNK_HEADER_BYTES));
    bytes.writeUInt32LE(length, 0);
    bytes.writeUInt32LE(checksum, 4);
    this.#chunkCount += 1;
    this.#payloadBytes += length;
    this.#chunksChecksum = addChunkChecksum(this.#chunksChecksum, checksum);
    this.#part.write(bytes, this.#position, () => {
      this.#position += bytes.length;
      this.#writeNext();
    });
  }

  #writeTrailer(): void {
    const trailer = encodeTrailer({
      payloadBytes: this.#payloadBytes,
      chunkCount: this.#chunkCount,
      chunksChecksum: this.#chunksChecksum,
      headerChecksum: headerChecksum(this.#init.block),
    });
    this.#part.write(trailer, this.#position, () => {
      const bytes = this.#position + SNAPSHOT_TRAILER_BYTES;
      this.#part.publish(this.#init.name, () => {
        this.#init.onDurable(bytes);
      });
    });
  }
}
