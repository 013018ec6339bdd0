/**
 * What a disk has to know about flush mode `async`: whether its log may lack what was acknowledged.
 *
 *     group-<id>/flush.json   { format, openIn, lossCount, isSuspect }
 *
 * Before a life in that mode begins, it is noted in which boot of the machine; and when it is
 * closed, that it has ended with everything synced. The end of a process alone loses nothing, as
 * the kernel or the disk has the bytes; a write that fails is noted. So something may be lost if a
 * life has not ended, and the machine was booted since. A disk on which that mode was never used
 * has no such file.
 */

import type { FileSystem } from "@quorumlog/log";
import type { Loss } from "@quorumlog/raft";
import { sometimes } from "@quorumlog/std";
import { join } from "node:path";
import { amendNote, readNote, writeNote } from "./note-file.ts";
import { ReplicaError } from "./replica-error.ts";

export interface FlushNotePlace {
  readonly fileSystem: FileSystem;
  /** Of the group. */
  readonly directory: string;
}

export interface FlushNoteInit extends FlushNotePlace {
  /** Which boot of the machine this is; `undefined` if that cannot be known. */
  readonly bootId: string | undefined;
  /** Whether the life that begins acknowledges before it syncs. */
  readonly isAsync: boolean;
  /** The owner says that what may be lost is lost. */
  readonly acceptLoss: boolean;
}

interface Noted {
  /** The boot in which a life has begun that has not ended; `undefined` if there is none. */
  readonly openIn: string | undefined;
  readonly loss: Loss | undefined;
}

const FILE_NAME = "flush.json";
const FORMAT = 1;
/** No machine's: whatever is booted next, it is another one. */
const NO_BOOT = "";

export class FlushNote {
  readonly #init: FlushNoteInit;
  #noted: Noted;
  /** What was suspect until its owner accepted the loss. */
  readonly isLossAccepted: boolean;

  /**
   * Begins a life, once the log is recovered and before anything is appended to it.
   *
   * @throws ReplicaError `FAILED` if the note cannot be read.
   */
  constructor(init: FlushNoteInit) {
    this.#init = init;
    const former = readNoted(init);
    const { openIn } = former;
    const isLost = openIn !== undefined && (init.bootId === undefined || openIn !== init.bootId);
    if (isLost) sometimes("host went down with unsynced entries");
    const count = (former.loss?.count ?? 0) + (isLost ? 1 : 0);
    const isSuspect = isLost || former.loss?.isSuspect === true;
    this.isLossAccepted = isSuspect && init.acceptLoss;
    const loss = count === 0 ? undefined : { count, isSuspect: isSuspect && !init.acceptLoss };
    this.#noted = former;
    this.#note({ openIn: init.isAsync ? (init.bootId ?? NO_BOOT) : undefined, loss });
  }

  get loss(): Loss | undefined {
    return this.#noted.loss;
  }

  /**
   * Whether the log may lack what was applied, and perhaps kept in a checkpoint. A loss that was
   * made up for is none any more, once every entry is synced before it is applied.
   */
  get mayLack(): boolean {
    const { loss, isLossAccepted } = this;
    if (loss === undefined) return false;
    return loss.isSuspect || isLossAccepted || this.#init.isAsync;
  }

  /** The node has caught up. */
  onCleared(loss: Loss): void {
    this.#note({ ...this.#noted, loss });
  }

  /** Takes back what `noteSyncFailed` said: what was being synced is on the disk after all. */
  onSyncKept(): void {
    if (this.#noted.openIn === undefined) return;
    const { fileSystem, directory } = this.#init;
    amendNote(fileSystem, { directory, name: FILE_NAME }, encode(this.#noted));
  }

  /** The log is closed, and everything in it synced. */
  onClosed(): void {
    this.#note({ ...this.#noted, openIn: undefined });
  }

  #note(noted: Noted): void {
    const former = this.#noted;
    const isNews =
      former.openIn !== noted.openIn ||
      former.loss?.count !== noted.loss?.count ||
      former.loss?.isSuspect !== noted.loss?.isSuspect;
    if (!isNews) return;
    const { fileSystem, directory } = this.#init;
    writeNote(fileSystem, { directory, name: FILE_NAME }, `${encode(noted)}\n`);
    this.#noted = noted;
  }
}

/**
 * Notes that a sync has failed: what was to be synced may be gone from the page cache, too, without
 * a boot of the machine. The disk may well fail in all else, so no sync is asked for: to the next
 * life in this boot it makes no difference, and to one in another boot the note says as much.
 *
 * @throws if it cannot be noted.
 */
export function noteSyncFailed(place: FlushNotePlace): void {
  const { fileSystem, directory } = place;
  const noted = readNoted(place);
  if (noted.openIn === undefined || noted.openIn === NO_BOOT) return;
  amendNote(fileSystem, { directory, name: FILE_NAME }, encode({ ...noted, openIn: NO_BOOT }));
}

function readNoted({ fileSystem, directory }: FlushNotePlace): Noted {
  const text = readNote(fileSystem, directory, FILE_NAME);
  if (text === undefined) return { openIn: undefined, loss: undefined };
  const noted = parse(text);
  if (noted !== undefined) return noted;
  const path = join(directory, FILE_NAME);
  throw new ReplicaError("FAILED", `${path} does not say what may be lost: restore it`);
}

function encode({ openIn, loss }: Noted): string {
  return JSON.stringify({
    format: FORMAT,
    openIn: openIn ?? null,
    lossCount: loss?.count ?? 0,
    isSuspect: loss?.isSuspect === true,
  });
}

function parse(text: string): Noted | undefined {
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    const { format, openIn, lossCount, isSuspect } = value;
    if (format !== FORMAT || typeof isSuspect !== "boolean") return undefined;
    if (openIn !== null && typeof openIn !== "string") return undefined;
    if (!Number.isSafeInteger(lossCount) || Number(lossCount) < 0) return undefined;
    const loss = Number(lossCount) === 0 ? undefined : { count: Number(lossCount), isSuspect };
    return { openIn: openIn ?? undefined, loss };
  } catch {
    // It is no JSON, or nothing of this shape: the caller says so.
    return undefined;
  }
}
