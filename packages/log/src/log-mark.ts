/**
 * What a log says about itself between its entries.
 *
 * A *state* is a whole account: promises, base, configuration. Each segment begins with one, so
 * that no segment is needed to read a later one, and trimming loses nothing. A *mark* is the short
 * form behind each batch: what is committed, and what is known to be synced. A damaged frame below
 * `syncedThrough` is corruption; above, it is what a crash tore.
 *
 * Both carry the position of the log's last entry as their frame's term and index.
 */

import { readUInt64, writeUInt64 } from "./frame.ts";
import type { HardState, LogBase } from "./log-entry.ts";

/** A place in the stream of frames: everything before it. */
export interface StreamPosition {
  readonly segmentId: number;
  /** In bytes, in that segment's file. */
  readonly offset: number;
}

export interface LogMark {
  readonly commitIndex: number;
  /** Everything before it had been synced when the mark was written. */
  readonly syncedThrough: StreamPosition;
}

export interface LogState {
  readonly hardState: HardState;
  readonly syncedThrough: StreamPosition;
  readonly base: LogBase;
  /** The log begins anew at `base`: a snapshot has replaced all entries. */
  readonly isReset: boolean;
}

export const MARK_BYTES = 24;
const STATE_BYTES = 72;

export function isBefore(left: StreamPosition, right: StreamPosition): boolean {
  if (left.segmentId !== right.segmentId) return left.segmentId < right.segmentId;
  return left.offset < right.offset;
}

export function encodeMark(mark: LogMark, target: Buffer): void {
  writeUInt64(target, mark.commitIndex, 0);
  writePosition(target, mark.syncedThrough, 8);
}

/** @returns `undefined` if it is none: its checksum was right, so a later version wrote it. */
export function decodeMark(payload: Buffer): LogMark | undefined {
  if (payload.length < MARK_BYTES) return undefined;
  return { commitIndex: readUInt64(payload, 0), syncedThrough: readPosition(payload, 8) };
}

/** Of the payload that a state makes. */
export function stateBytes({ base }: Pick<LogState, "base">): number {
  return STATE_BYTES + base.configuration.byteLength;
}

export function encodeState(state: LogState): Buffer {
  const { hardState, base } = state;
  const { configuration } = base;
  const payload = Buffer.alloc(STATE_BYTES + configuration.byteLength);
  writeUInt64(payload, hardState.commitIndex, 0);
  writePosition(payload, state.syncedThrough, 8);
  writeUInt64(payload, hardState.currentTerm, 24);
  writeUInt64(payload, hardState.votedFor ?? 0, 32);
  writeUInt64(payload, base.term, 40);
  writeUInt64(payload, base.index, 48);
  payload.writeUInt32LE(state.isReset ? 1 : 0, 56);
  payload.writeUInt32LE(configuration.byteLength, 60);
  payload.set(configuration, STATE_BYTES);
  return payload;
}

export function decodeState(payload: Buffer): LogState | undefined {
  if (payload.length < STATE_BYTES) return undefined;
  const configurationBytes = payload.readUInt32LE(60);
  if (payload.length < STATE_BYTES + configurationBytes) return undefined;
  const vote = readUInt64(payload, 32);
  return {
    hardState: {
      currentTerm: readUInt64(payload, 24),
      votedFor: vote === 0 ? undefined : vote,
      commitIndex: readUInt64(payload, 0),
    },
    syncedThrough: readPosition(payload, 8),
    base: {
      term: readUInt64(payload, 40),
      index: readUInt64(payload, 48),
      configuration: Uint8Array.from(
        payload.subarray(STATE_BYTES, STATE_BYTES + configurationBytes),
      ),
    },
    isReset: (payload.readUInt32LE(56) & 1) === 1,
  };
}

function writePosition(target: Buffer, position: StreamPosition, at: number): void {
  writeUInt64(target, position.segmentId, at);
  writeUInt64(target, position.offset, at + 8);
}

function readPosition(source: Buffer, at: number): StreamPosition {
  return { segmentId: readUInt64(source, at), offset: readUInt64(source, at + 8) };
}
