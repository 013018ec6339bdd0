/**
 * What the disk gives to whoever just writes: the counterpart that the log is measured against.
 *
 * The same files, made the same way while the present one fills; the same queue, so that what waits
 * goes to the disk as one writev and one fdatasync. No frames, no checksums, nothing to read back.
 */

import {
  close,
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fsync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  writeSync,
  writev,
} from "node:fs";
import { join } from "node:path";
import { assert } from "@quorumlog/std";
import type { AppendLog } from "./append-log.ts";

const HEADER = new Uint8Array(4_096).fill(1);
const ZEROS = new Uint8Array(1 << 20);
/** Zeros between two syncs, as in the log. */
const SYNC_BYTES = 4 << 20;
/** Of one write, as in the log. */
const WRITE_BYTES_MAX = 8 << 20;

interface Waiting {
  readonly data: Uint8Array;
  readonly onDurable: () => void;
}

export class BareLog implements AppendLog {
  readonly #directory: string;
  readonly #segmentBytes: number;
  #waiting: Waiting[] = [];
  #isBusy = false;
  #fd: number;
  #end = HEADER.length;
  #segmentId = 1;
  /** Something was written to the present segment, so the next one may be made. */
  #isBegun = true;
  #nextFd: number | undefined;
  #onReady: (() => void) | undefined;

  constructor(directory: string, segmentBytes: number) {
    this.#directory = directory;
    this.#segmentBytes = segmentBytes;
    mkdirSync(directory);
    const fd = this.#create();
    for (let at = 0; at < segmentBytes; at += ZEROS.length) writeSync(fd, ZEROS, 0, undefined, at);
    writeSync(fd, HEADER, 0, undefined, 0);
    fdatasyncSync(fd);
    this.#fd = this.#name(fd);
    const directoryFd = openSync(directory, constants.O_RDONLY);
    fsyncSync(directoryFd);
    closeSync(directoryFd);
    this.#makeNext();
  }

  append(data: Uint8Array, onDurable: () => void): void {
    this.#waiting.push({ data, onDurable });
    if (!this.#isBusy) this.#flush();
  }

  whenReady(run: () => void): void {
    if (this.#nextFd === undefined) this.#onReady = run;
    else run();
  }

  close(onClosed: () => void): void {
    closeSync(this.#fd);
    if (this.#nextFd !== undefined) closeSync(this.#nextFd);
    onClosed();
  }

  #flush(): void {
    const room = this.#segmentBytes - this.#end;
    let count = 0;
    let bytes = 0;
    for (const { data } of this.#waiting) {
      if (bytes >= WRITE_BYTES_MAX || bytes + data.byteLength > room) break;
      count += 1;
      bytes += data.byteLength;
    }
    this.#isBusy = true;
    if (count > 0) this.#write(this.#waiting.splice(0, count), bytes);
    else
      this.whenReady(() => {
        this.#takeNext();
        this.#flush();
      });
  }

  #write(batches: readonly Waiting[], bytes: number): void {
    const fd = this.#fd;
    const parts = batches.map(({ data }) => data);
    writev(fd, parts, this.#end, (writeError, written) => {
      if (writeError !== null) throw writeError;
      assert(written === bytes, "the disk takes a write as a whole");
      fdatasync(fd, (syncError) => {
        if (syncError !== null) throw syncError;
        if (!this.#isBegun) this.#makeNext();
        this.#isBegun = true;
        for (const { onDurable } of batches) onDurable();
        this.#isBusy = false;
        if (this.#waiting.length > 0) this.#flush();
      });
    });
    this.#end += bytes;
  }

  #takeNext(): void {
    assert(this.#nextFd !== undefined, "the next segment is ready");
    close(this.#fd);
    this.#fd = this.#nextFd;
    this.#nextFd = undefined;
    this.#end = HEADER.length;
    this.#isBegun = false;
  }

  #makeNext(): void {
    this.#segmentId += 1;
    this.#fill(this.#create(), 0);
  }

  #fill(fd: number, at: number): void {
    if (at >= this.#segmentBytes) {
      this.#finish(fd);
      return;
    }
    const end = at + ZEROS.length;
    writev(fd, [ZEROS], at, (writeError) => {
      if (writeError !== null) throw writeError;
      if (end % SYNC_BYTES !== 0) {
        this.#fill(fd, end);
        return;
      }
      fdatasync(fd, (syncError) => {
        if (syncError !== null) throw syncError;
        this.#fill(fd, end);
      });
    });
  }

  #finish(fd: number): void {
    writev(fd, [HEADER], 0, (writeError) => {
      if (writeError !== null) throw writeError;
      fdatasync(fd, (syncError) => {
        if (syncError !== null) throw syncError;
        const named = this.#name(fd);
        const directoryFd = openSync(this.#directory, constants.O_RDONLY);
        fsync(directoryFd, (directoryError) => {
          if (directoryError !== null) throw directoryError;
          close(directoryFd, () => {
            this.#nextFd = named;
            const onReady = this.#onReady;
            this.#onReady = undefined;
            onReady?.();
          });
        });
      });
    });
  }

  #create(): number {
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR;
    return openSync(join(this.#directory, "spare.tmp"), flags, 0o600);
  }

  #name(fd: number): number {
    const path = join(this.#directory, `${this.#segmentId}.log`);
    closeSync(fd);
    renameSync(join(this.#directory, "spare.tmp"), path);
    return openSync(path, constants.O_RDWR);
  }
}
