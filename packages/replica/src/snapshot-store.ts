/**
 * The snapshots of a group's state on the disk: written here, or received from a peer.
 *
 *     write   ──> .part          ──┐
 *                                  ├──> synced, renamed ──> .snapshot ──> openReader, readRaw
 *     receive ──> .received.part ──┘
 *
 * It never removes a snapshot by itself, and never guesses: one that is damaged is not listed, and
 * said to be.
 */

import { join } from "node:path";
import { type FileSystem, isNoSpace, type OpenFile } from "@quorumlog/log";
import type { Configuration } from "@quorumlog/raft";
import { assert, InvariantViolation } from "@quorumlog/std";
import { freeBytes, PartFile, type PartPlace, releaseFile } from "./part-file.ts";
import { SnapshotError, translatedSnapshotError } from "./snapshot-error.ts";
import { CHUNK_BYTES_MAX, encodeSnapshotHeader } from "./snapshot-header.ts";
import {
  completeName,
  receivedName,
  type SnapshotOffer,
  type SnapshotPosition,
  writtenName,
} from "./snapshot-name.ts";
import { type SnapshotMeta, SnapshotReader } from "./snapshot-reader.ts";
import { SnapshotReceipt } from "./snapshot-receipt.ts";
import { type DamagedSnapshot, scanSnapshots } from "./snapshot-scan.ts";
import { SnapshotWriter } from "./snapshot-writer.ts";

export type { SnapshotMeta } from "./snapshot-reader.ts";
export type { SnapshotReceipt } from "./snapshot-receipt.ts";

export interface SnapshotStoreInit {
  readonly fileSystem: FileSystem;
  /** `snapshots` within it belongs to this store alone; made if it is not there. */
  readonly directory: string;
  /** In `[1, 256]` bytes of UTF-8. */
  readonly clusterId: string;
  /** In `[0, 2^32)`. */
  readonly groupId: number;
  /** Of the payload in a chunk, the same on all replicas. Default 256 KiB, at most 16 MiB. */
  readonly chunkBytes?: number;
  /** What snapshots leave free on the disk, for the log. Default 0. */
  readonly reserveBytes?: number;
  /**
   * A write, sync, rename or removal has failed, or the state could not be read: the node has to
   * stop. Called once, maybe from within a call; nothing else is called after it.
   */
  readonly onFailure: (error: SnapshotError) => void;
}

const CHUNK_BYTES = 256 * 1024;
const DIRECTORY_NAME = "snapshots";

export class SnapshotStore {
  readonly #init: SnapshotStoreInit;
  readonly #directory: string;
  readonly #place: PartPlace;
  /** Ascending by index; replaced as a whole. */
  #complete: readonly SnapshotMeta[] = [];
  #damaged: readonly DamagedSnapshot[] = [];
  #writer: SnapshotWriter | undefined;
  #receipt: SnapshotReceipt | undefined;
  /** Files that are being sent, by index. */
  readonly #sending = new Map<number, OpenFile>();
  #state: "open" | "failed" | "closed" = "open";

  /**
   * Opens the directory: removes what a crash has left of a snapshot that was being written, and
   * verifies what there is of one that was being received.
   *
   * @throws SnapshotError `SNAPSHOT_FOREIGN`, `SNAPSHOT_VERSION`, `SNAPSHOT_FAILED`. One that is
   *   corrupt is no error here: see {@link damaged}.
   */
  static open(init: SnapshotStoreInit): SnapshotStore {
    const { directory } = init;
    return translatedSnapshotError("the snapshots cannot be read", directory, () => {
      const store = new SnapshotStore(init);
      store.#recover();
      return store;
    });
  }

  private constructor(init: SnapshotStoreInit) {
    const { fileSystem, chunkBytes = CHUNK_BYTES, reserveBytes = 0 } = init;
    if (!Number.isInteger(chunkBytes) || chunkBytes < 1 || chunkBytes > CHUNK_BYTES_MAX)
      throw new RangeError(`chunkBytes: ${chunkBytes} is not in [1, ${CHUNK_BYTES_MAX}]`);
    this.#init = init;
    this.#directory = join(init.directory, DIRECTORY_NAME);
    this.#place = {
      fileSystem,
      directory: this.#directory,
      reserveBytes,
      onFailure: (cause, file) => {
        this.#fail(cause, file);
      },
    };
  }

  /** Ascending by index. */
  list(): readonly SnapshotMeta[] {
    return this.#complete;
  }

  newest(): SnapshotMeta | undefined {
    return this.#complete.at(-1);
  }

  /**
   * Found damaged, with file and offset. Nobody removes them unasked: they can be looked at, and
   * are replaced by a sound one of their index.
   */
  damaged(): readonly DamagedSnapshot[] {
    return this.#damaged;
  }

  isOpen(): boolean {
    return this.#state === "open";
  }

  get isWriting(): boolean {
    return this.#writer !== undefined;
  }

  /**
   * Writes a snapshot in the background, one at a time.
   *
   * @param payload - Pulled piece by piece, later: it has to stay what it is now. A piece is
   *   borrowed until the next is pulled.
   * @param onNoSpace - The disk is full, and what there was of it was removed. Without it that is a
   *   failure of the store. Never called before this returns.
   * @throws SnapshotError `SNAPSHOT_CLOSED`, `SNAPSHOT_NO_SPACE`
   * @throws RangeError if the configuration has too many members.
   */
  write(
    snapshot: SnapshotPosition & { readonly configuration: Configuration },
    payload: Iterable<Uint8Array>,
    onDurable: (meta: SnapshotMeta) => void,
    onNoSpace?: (error: SnapshotError) => void,
  ): void {
    this.#demandOpen();
    assert(this.#writer === undefined, "one snapshot is written at a time");
    const { clusterId, groupId, chunkBytes = CHUNK_BYTES } = this.#init;
    const { index, term, configuration } = snapshot;
    const name = writtenName(snapshot);
    const block = encodeSnapshotHeader({
      clusterId,
      groupId,
      chunkBytes,
      index,
      term,
      configuration,
    });
    const part = this.#makePart(name, (error) => {
      const writer = this.#writer;
      this.#writer = undefined;
      writer?.release();
      if (onNoSpace === undefined) this.#fail(error, join(this.#directory, name));
      else onNoSpace(error);
    });
    if (part === undefined) return;
    const pieces = payload[Symbol.iterator]();
    this.#writer = new SnapshotWriter({
      part,
      block,
      pieces,
      chunkBytes,
      name: completeName(snapshot),
      onDurable: (bytes) => {
        const meta = { index, term, configuration, bytes };
        this.#writer = undefined;
        this.#add(meta);
        onDurable(meta);
      },
      onPiecesFailure: (cause) => {
        this.#fail(cause, join(this.#directory, name));
      },
    });
  }

  /** Gives up the snapshot that is being written, if one is: nothing is called for it. */
  abortWrite(): void {
    const writer = this.#writer;
    this.#writer = undefined;
    try {
      writer?.abort();
    } catch (error) {
      this.#fail(error, this.#directory);
    }
  }

  /**
   * A snapshot as it is now, to be read chunk by chunk; `undefined` if it is not here.
   *
   * @throws SnapshotError
   */
  openReader(index: number): SnapshotReader | undefined {
    const meta = this.#find(index);
    if (meta === undefined) return undefined;
    const file = this.#openFile(meta);
    try {
      return new SnapshotReader(file, this.#init, meta);
    } catch (error) {
      releaseFile(file);
      throw error;
    }
  }

  /**
   * Bytes of a snapshot's file as they are: the receiver verifies them.
   *
   * @returns fewer bytes than `bytesMax` at the end, none behind it or if it is not here.
   * @throws SnapshotError `SNAPSHOT_FAILED`
   */
  readRaw(index: number, offset: number, bytesMax: number): Uint8Array {
    const meta = this.#find(index);
    if (meta === undefined || offset >= meta.bytes) return new Uint8Array(0);
    const file = this.#sending.get(index) ?? this.#openFile(meta);
    this.#sending.set(index, file);
    const bytes = Buffer.allocUnsafeSlow(Math.min(bytesMax, meta.bytes - offset));
    return translatedSnapshotError("a snapshot cannot be read", file.path, () =>
      bytes.subarray(0, file.readNow(bytes, offset)),
    );
  }

  /**
   * Begins to receive a snapshot, one at a time: another one that is on its way is given up. The
   * same one goes on where it is: see {@link SnapshotReceipt.offset}.
   *
   * @throws SnapshotError `SNAPSHOT_CLOSED`, `SNAPSHOT_FAILED`, `SNAPSHOT_NO_SPACE`
   */
  receive(offer: SnapshotOffer): SnapshotReceipt {
    this.#demandOpen();
    const current = this.#receipt;
    if (current !== undefined && !current.isOver && isSame(current.offer, offer)) return current;
    current?.abort();
    this.#demandOpen();
    const { index, term, bytes } = offer;
    const { fileSystem, reserveBytes = 0 } = this.#init;
    const name = receivedName(offer);
    const free = freeBytes(fileSystem, this.#directory);
    // Not written, to be thrown away at its end.
    if (free < bytes + reserveBytes)
      throw this.#noSpace(name, new Error(`of ${bytes + reserveBytes} bytes ${free} are free`));
    let receipt: SnapshotReceipt | undefined;
    const part = this.#makePart(name, (error) => receipt?.onNoSpace(error));
    if (part === undefined)
      throw new SnapshotError("SNAPSHOT_FAILED", "a snapshot cannot be received");
    receipt = this.#receiptOf({ index, term, bytes }, part);
    this.#receipt = receipt;
    return receipt;
  }

  /**
   * Reads a whole snapshot; one that is damaged is not listed any more, see {@link damaged}.
   *
   * @returns what is wrong with it.
   * @throws SnapshotError `SNAPSHOT_FAILED`
   */
  verify(index: number): SnapshotError | undefined {
    try {
      const reader = this.openReader(index);
      try {
        while (reader?.next() !== undefined);
      } finally {
        reader?.close();
      }
      return undefined;
    } catch (error) {
      if (!(error instanceof SnapshotError) || error.code !== "SNAPSHOT_CORRUPT") throw error;
      this.discredit(index, error);
      return error;
    }
  }

  /** Lists it among those that are {@link damaged}, for whoever has found that it is. */
  discredit(index: number, error: SnapshotError): void {
    const meta = this.#find(index);
    if (meta === undefined) return;
    this.#stopSending(index);
    this.#complete = this.#complete.filter((each) => each !== meta);
    this.#damaged = [...this.#damaged, { index, term: meta.term, error }];
  }

  /** @throws SnapshotError `SNAPSHOT_CLOSED` */
  remove(index: number, onDone: () => void): void {
    this.keepOnly((position) => position.index !== index, onDone);
  }

  /**
   * Removes all others, those that are damaged, too. Readers of them go on.
   *
   * @throws SnapshotError `SNAPSHOT_CLOSED`
   */
  keepOnly(isKept: (position: SnapshotPosition) => boolean, onDone: () => void): void {
    this.#demandOpen();
    const { fileSystem } = this.#init;
    const directory = this.#directory;
    const isGone = (position: SnapshotPosition): boolean => !isKept(position);
    const gone = [...this.#complete.filter(isGone), ...this.#damaged.filter(isGone)];
    this.#complete = this.#complete.filter((meta) => !gone.includes(meta));
    this.#damaged = this.#damaged.filter((each) => !gone.includes(each));
    try {
      for (const position of gone) {
        this.#stopSending(position.index);
        fileSystem.remove(join(directory, completeName(position)));
      }
    } catch (error) {
      this.#fail(error, directory);
      return;
    }
    fileSystem.syncDirectoryLater(directory, (error) => {
      if (!this.isOpen()) return;
      if (error === undefined) onDone();
      else this.#fail(error, directory);
    });
  }

  /** Nothing is called after it. What is being received goes on with the next start. Idempotent. */
  close(): void {
    if (this.#state === "open") this.#state = "closed";
    this.#stop();
  }

  #recover(): void {
    const { fileSystem } = this.#init;
    const directory = this.#directory;
    fileSystem.makeDirectory(directory);
    const { complete, damaged, received } = scanSnapshots(fileSystem, directory, this.#init);
    this.#complete = complete;
    this.#damaged = damaged;
    if (received !== undefined) this.#resume(received);
    // A name that was read may not be on the disk yet: its sync may have failed in a former life.
    fileSystem.syncDirectory(directory);
  }

  #resume(offer: SnapshotOffer): void {
    const path = join(this.#directory, receivedName(offer));
    const file = this.#init.fileSystem.open(path, "readWrite");
    const part = new PartFile(this.#place, file, (cause) => {
      receipt.onNoSpace(this.#noSpace(receivedName(offer), cause));
    });
    const receipt = this.#receiptOf(offer, part);
    this.#receipt = receipt;
    try {
      receipt.resume(file);
    } catch (error) {
      receipt.close();
      throw error;
    }
  }

  #receiptOf(offer: SnapshotOffer, part: PartFile): SnapshotReceipt {
    return new SnapshotReceipt({
      owner: this.#init,
      offer,
      part,
      onComplete: (meta) => {
        this.#receipt = undefined;
        this.#add(meta);
      },
      onFailure: (cause) => {
        this.#fail(cause, join(this.#directory, receivedName(offer)));
      },
    });
  }

  /**
   * @returns `undefined` if the file system has failed, which was said then.
   * @throws SnapshotError `SNAPSHOT_NO_SPACE`
   */
  #makePart(name: string, onNoSpace: (error: SnapshotError) => void): PartFile | undefined {
    const path = join(this.#directory, name);
    try {
      const file = this.#init.fileSystem.create(path);
      return new PartFile(this.#place, file, (cause) => {
        onNoSpace(this.#noSpace(name, cause));
      });
    } catch (error) {
      if (isNoSpace(error)) throw this.#noSpace(name, error);
      this.#fail(error, path);
      return undefined;
    }
  }

  #noSpace(name: string, cause: unknown): SnapshotError {
    const file = join(this.#directory, name);
    const message = "there is no room for a snapshot";
    return new SnapshotError("SNAPSHOT_NO_SPACE", message, { file, cause });
  }

  #openFile(meta: SnapshotMeta): OpenFile {
    const path = join(this.#directory, completeName(meta));
    return translatedSnapshotError("a snapshot cannot be opened", path, () =>
      this.#init.fileSystem.open(path, "read"),
    );
  }

  #find(index: number): SnapshotMeta | undefined {
    if (this.#state === "closed")
      throw new SnapshotError("SNAPSHOT_CLOSED", "the snapshots are closed");
    return this.#complete.find((meta) => meta.index === index);
  }

  /** In place of what was there at that index. */
  #add(meta: SnapshotMeta): void {
    const { index } = meta;
    this.#stopSending(index);
    this.#damaged = this.#damaged.filter((each) => each.index !== index || each.term !== meta.term);
    const others = this.#complete.filter((each) => each.index !== index);
    this.#complete = [...others, meta].sort((a, b) => a.index - b.index);
  }

  #stopSending(index: number): void {
    const file = this.#sending.get(index);
    if (file !== undefined) releaseFile(file);
    this.#sending.delete(index);
  }

  #fail(cause: unknown, file: string): void {
    if (cause instanceof InvariantViolation) throw cause;
    if (this.#state !== "open") return;
    this.#state = "failed";
    this.#stop();
    // The disk may be well: what a state machine throws as its pieces are pulled comes here, too.
    const message = `a snapshot cannot be written: ${(cause as Error).message}`;
    this.#init.onFailure(new SnapshotError("SNAPSHOT_FAILED", message, { file, cause }));
  }

  #stop(): void {
    this.#writer?.close();
    this.#writer = undefined;
    this.#receipt?.close();
    this.#receipt = undefined;
    for (const index of this.#sending.keys()) this.#stopSending(index);
  }

  #demandOpen(): void {
    if (this.#state !== "open")
      throw new SnapshotError("SNAPSHOT_CLOSED", `the snapshots are ${this.#state}`);
  }
}

function isSame(left: SnapshotOffer, right: SnapshotOffer): boolean {
  return left.index === right.index && left.term === right.term && left.bytes === right.bytes;
}
