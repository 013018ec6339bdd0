/**
 * What the files of snapshots are called; indexes, terms and bytes as 16 hex digits.
 *
 *     <index>-<term>.snapshot               whole, and synced before it got this name
 *     <index>-<term>.part                   being written here; of no use after a crash
 *     <index>-<term>-<bytes>.received.part  being received: goes on where it stopped
 */

export interface SnapshotPosition {
  readonly index: number;
  readonly term: number;
}

/** What a peer has said about a snapshot before it sends it. */
export interface SnapshotOffer extends SnapshotPosition {
  /** Of the whole file. */
  readonly bytes: number;
}

const NUMBER = "[0-9a-f]{16}";
const COMPLETE = new RegExp(`^(?<index>${NUMBER})-(?<term>${NUMBER})\\.snapshot$`, "u");
const WRITTEN = new RegExp(`^${NUMBER}-${NUMBER}\\.part$`, "u");
const RECEIVED = new RegExp(
  `^(?<index>${NUMBER})-(?<term>${NUMBER})-(?<bytes>${NUMBER})\\.received\\.part$`,
  "u",
);

export function completeName({ index, term }: SnapshotPosition): string {
  return `${hex(index)}-${hex(term)}.snapshot`;
}

export function writtenName({ index, term }: SnapshotPosition): string {
  return `${hex(index)}-${hex(term)}.part`;
}

export function receivedName({ index, term, bytes }: SnapshotOffer): string {
  return `${hex(index)}-${hex(term)}-${hex(bytes)}.received.part`;
}

/** @returns `undefined` for any other file. */
export function positionInName(name: string): SnapshotPosition | undefined {
  const groups = COMPLETE.exec(name)?.groups;
  if (groups === undefined) return undefined;
  const position = { index: number(groups["index"]), term: number(groups["term"]) };
  return isSafe(position.index, position.term) ? position : undefined;
}

/** @returns `undefined` for any other file. */
export function offerInName(name: string): SnapshotOffer | undefined {
  const groups = RECEIVED.exec(name)?.groups;
  if (groups === undefined) return undefined;
  const [index, term] = [number(groups["index"]), number(groups["term"])];
  const bytes = number(groups["bytes"]);
  return isSafe(index, term, bytes) ? { index, term, bytes } : undefined;
}

export function isWrittenName(name: string): boolean {
  return WRITTEN.test(name);
}

function hex(value: number): string {
  return value.toString(16).padStart(16, "0");
}

function number(digits: string | undefined): number {
  return Number.parseInt(digits ?? "", 16);
}

function isSafe(...values: readonly number[]): boolean {
  return values.every((value) => Number.isSafeInteger(value));
}
