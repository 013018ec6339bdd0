/**
 * The state that a group's log stands for, as every replica holds it in memory: offsets, sessions,
 * markers, addresses; and behind them the application's own, if there is one.
 *
 * Apply is total: whatever the bytes, it ends, throws nothing, and does the same everywhere. It
 * reads this state, the entry and the time in it, and never a clock, a disk or an option.
 */

import { assert } from "@quorumlog/std";
import type { CheckpointRow } from "./checkpoint.ts";
import { COMMAND_KIND, type Command, ContainerReader } from "./container.ts";
import type { Machine } from "./machine.ts";
import { OffsetIndex } from "./offset-index.ts";
import { type AppendResult, SessionTable } from "./sessions.ts";
import { PieceSource } from "./piece-source.ts";
import { ImageReader, ImageWriter, NUMBER_BYTES } from "./state-image.ts";

const IMAGE_VERSION = 1;
const IMAGE_LENGTH_BYTES = 4;
/** Rows of a checkpoint: one of a session each, and one of all the rest. */
const SESSION_KEY = "session/";
const GROUP_KEY = "group";

/** What became of one command. */
export type CommandResult =
  | {
      readonly status: "appended";
      readonly offset: number;
      readonly count: number;
      /** A repetition of what had been stored before. */
      readonly isDuplicate: boolean;
      /** What the application answers, if there is one: a value for each record. */
      readonly values: readonly Uint8Array[];
    }
  | { readonly status: "mismatch"; readonly nextOffset: number }
  | { readonly status: "expired" | "gap" | "too-old" }
  | { readonly status: "opened"; readonly sessionId: number }
  | { readonly status: "done" };

/** Where the state was kept: a snapshot of it, behind the entry at `index`, is on every replica. */
export interface Marker {
  readonly index: number;
  /** The next offset there. */
  readonly offset: number;
  /** Of all entries up to there, since the log began. */
  readonly logBytes: number;
  readonly time: number;
}

const NO_VALUES: readonly Uint8Array[] = [];

export class GroupState {
  /** The first offset that can be read. */
  firstOffset: number = 0;
  /** That of the record that comes next. */
  nextOffset: number = 0;
  /** Of the log: that of the newest container, never going back. */
  time: number = 0;
  /** Of all entries applied since the log began. */
  logBytes: number = 0;
  markers: Marker[] = [];
  /** The marker that the log begins behind on every replica that has trimmed; 0 before any. */
  startIndex: number = 0;
  readonly sessions: SessionTable = new SessionTable();
  readonly offsets: OffsetIndex = new OffsetIndex();
  readonly addresses: Map<number, string> = new Map();
  readonly #machine: Machine | undefined;
  readonly #isBare: boolean;
  #nextSessionId = 1;

  constructor(machine: Machine | undefined) {
    this.#machine = machine;
    this.#isBare = machine === undefined;
  }

  /**
   * Applies the data of a normal entry.
   *
   * @param results - Takes what became of each command, if anybody here wants to know.
   * @returns whether the entry asks for a snapshot of the state behind it.
   */
  apply(index: number, data: Uint8Array, results: CommandResult[] | undefined): boolean {
    this.offsets.add({ index, offset: this.nextOffset }, data.byteLength);
    this.logBytes += data.byteLength;
    const container = ContainerReader.open(data);
    if (container === undefined) return false;
    this.time = Math.max(this.time, container.timestamp);
    let isMarker = false;
    let number = 0;
    for (let command = container.next(); command !== undefined; command = container.next()) {
      if (command.kind === COMMAND_KIND.snapshotMarker) isMarker = true;
      if (this.#isPlain(command)) this.#appendPlain(command.recordCount, results);
      else {
        const result = this.#applyCommand(command, { index, number, container });
        results?.push(result);
      }
      number += 1;
    }
    if (isMarker) this.#mark(index);
    return isMarker;
  }

  /**
   * Bytes of a snapshot: those of this state, then those of the application. Made as they are
   * pulled, and yet of the state at the time of the call.
   */
  image(): Iterable<Uint8Array> {
    const own = this.#ownImage();
    const length = Buffer.alloc(IMAGE_LENGTH_BYTES);
    length.writeUInt32LE(own.length);
    return chain([length, own], this.#machine?.snapshot() ?? []);
  }

  #ownImage(): Buffer {
    const image = new ImageWriter();
    this.#writeCounters(image);
    this.sessions.write(image);
    this.#writePlaces(image);
    return image.finish();
  }

  #writeCounters(image: ImageWriter): void {
    image.number(IMAGE_VERSION, this.firstOffset, this.nextOffset, this.time, this.logBytes);
    image.number(this.startIndex, this.#nextSessionId);
    image.list(this.markers, ({ index, offset, logBytes, time }) => {
      image.number(index, offset, logBytes, time);
    });
  }

  #writePlaces(image: ImageWriter): void {
    this.offsets.write(image);
    image.list(this.addresses, ([nodeId, address]) => {
      image.number(nodeId);
      image.text(address);
    });
  }

  /**
   * What a checkpoint has to keep of this state, without that of the application: what changed
   * since the last call, or all of it.
   */
  takeRows(isWhole: boolean): CheckpointRow[] {
    const image = new ImageWriter();
    this.#writeCounters(image);
    this.#writePlaces(image);
    const rows: CheckpointRow[] = [{ key: GROUP_KEY, value: image.finish() }];
    this.sessions.takeRows(isWhole, (sessionId, value) => {
      rows.push({ key: `${SESSION_KEY}${sessionId}`, value });
    });
    return rows;
  }

  /** Becomes what all rows were taken from; the application's own state is not touched. */
  restoreRows(rows: ReadonlyMap<string, Uint8Array>): void {
    const group = rows.get(GROUP_KEY);
    assert(group !== undefined, "a checkpoint has the counters of its group");
    const image = new ImageReader(Buffer.from(group));
    this.#readCounters(image);
    this.#readPlaces(image);
    this.sessions.readRows(sessionRows(rows));
  }

  /**
   * Becomes what {@link image} gave; nothing at all stands for the empty state. What the
   * application gave is passed on piece by piece, as it is pulled.
   *
   * @param index - Of the last entry that it follows from.
   */
  restore(chunks: Iterable<Uint8Array>, index: number): void {
    const source = new PieceSource(chunks);
    const length = source.take(IMAGE_LENGTH_BYTES);
    if (length !== undefined) {
      const own = source.take(length.readUInt32LE(0));
      assert(own !== undefined, "a state's image is whole");
      this.#restoreOwn(new ImageReader(own));
    }
    this.#machine?.restore(source.rest(), { index, offset: this.nextOffset });
  }

  #restoreOwn(image: ImageReader): void {
    this.#readCounters(image);
    this.sessions.read(image);
    this.#readPlaces(image);
  }

  #readCounters(image: ImageReader): void {
    assert(image.number() === IMAGE_VERSION, "a state's image is of a known version");
    this.firstOffset = image.number();
    this.nextOffset = image.number();
    this.time = image.number();
    this.logBytes = image.number();
    this.startIndex = image.number();
    this.#nextSessionId = image.number();
    this.markers = [];
    image.list(() => {
      const index = image.number();
      const offset = image.number();
      const logBytes = image.number();
      this.markers.push({ index, offset, logBytes, time: image.number() });
    });
  }

  #readPlaces(image: ImageReader): void {
    this.offsets.read(image);
    this.addresses.clear();
    image.list(() => {
      const nodeId = image.number();
      this.addresses.set(nodeId, image.text());
    });
  }

  /** Whether there is nothing to it but to count: most of what a log is given. */
  #isPlain({ kind, sessionId, offset }: Command): boolean {
    const isExpected = offset === -1 || offset === this.nextOffset;
    return kind === COMMAND_KIND.records && sessionId === 0 && isExpected && this.#isBare;
  }

  #appendPlain(count: number, results: CommandResult[] | undefined): void {
    const offset = this.nextOffset;
    this.nextOffset += count;
    results?.push({ status: "appended", offset, count, isDuplicate: false, values: NO_VALUES });
  }

  #applyCommand(command: Command, place: CommandPlace): CommandResult {
    switch (command.kind) {
      case COMMAND_KIND.records:
        return this.#append(command, place);
      case COMMAND_KIND.openSession: {
        const sessionId = this.#nextSessionId;
        this.#nextSessionId += 1;
        this.sessions.open(sessionId, command.sequence, this.time);
        return { status: "opened", sessionId };
      }
      case COMMAND_KIND.closeSession:
        this.sessions.close(command.sessionId);
        return { status: "done" };
      case COMMAND_KIND.trim:
        this.#trim(command.offset);
        return { status: "done" };
      case COMMAND_KIND.address:
        for (const text of place.container.records(command))
          this.addresses.set(command.sequence, Buffer.from(text).toString("utf8"));
        return { status: "done" };
      default:
        return { status: "done" };
    }
  }

  #append(command: Command, place: CommandPlace): CommandResult {
    const { sessionId, sequence, recordCount: count } = command;
    if (sessionId !== 0) {
      const verdict = this.sessions.look(sessionId, sequence);
      if (verdict.status !== "new") {
        this.offsets.reject(place.index, place.number);
        return verdict.status === "duplicate" ? repeated(verdict.result) : verdict;
      }
    }
    const offset = this.nextOffset;
    const isMismatch = command.offset !== -1 && command.offset !== offset;
    const status = isMismatch ? "mismatch" : "appended";
    if (!isMismatch) this.nextOffset += count;
    const values = isMismatch ? [] : this.#applyRecords(command, place, offset);
    const result: AppendResult = { status, offset, count, values };
    if (sessionId !== 0) this.sessions.record(sessionId, result, this.time);
    if (isMismatch) return { status: "mismatch", nextOffset: offset };
    return { status: "appended", offset, count, isDuplicate: false, values };
  }

  #applyRecords(
    command: Command,
    { container }: CommandPlace,
    offset: number,
  ): readonly Uint8Array[] {
    if (this.#machine === undefined) return [];
    const records = [...container.records(command)];
    const values = this.#machine.apply({ offset, records, timestamp: this.time });
    assert(values.length === records.length, "a state machine answers each record, in order");
    return values;
  }

  #mark(index: number): void {
    this.sessions.expire(this.time);
    const { nextOffset: offset, logBytes, time } = this;
    this.markers.push({ index, offset, logBytes, time });
  }

  /** Up to `offset` nothing is read any more; whole stretches between markers can be freed. */
  #trim(offset: number): void {
    this.firstOffset = Math.max(this.firstOffset, Math.min(offset, this.nextOffset));
    const start = this.markers.findLast((marker) => marker.offset <= this.firstOffset);
    if (start === undefined) return;
    this.startIndex = start.index;
    this.markers = this.markers.filter(({ index }) => index >= start.index);
    this.offsets.trim({ index: start.index + 1, offset: start.offset });
  }
}

/** The next offset of the state whose {@link GroupState.image} this is: no more of it is pulled. */
export function nextOffsetIn(image: Iterable<Uint8Array>): number {
  const source = new PieceSource(image);
  // Its length, and the first of its numbers: see `#writeCounters`.
  const head = source.take(IMAGE_LENGTH_BYTES + 3 * NUMBER_BYTES);
  assert(head !== undefined, "a state's image is whole");
  const numbers = new ImageReader(head.subarray(IMAGE_LENGTH_BYTES));
  assert(numbers.number() === IMAGE_VERSION, "a state's image is of a known version");
  numbers.number();
  return numbers.number();
}

function* sessionRows(rows: ReadonlyMap<string, Uint8Array>): Generator<[number, Uint8Array]> {
  for (const [key, row] of rows)
    if (key.startsWith(SESSION_KEY)) yield [Number(key.slice(SESSION_KEY.length)), row];
}

function* chain(first: Iterable<Uint8Array>, second: Iterable<Uint8Array>): Generator<Uint8Array> {
  yield* first;
  yield* second;
}

interface CommandPlace {
  readonly index: number;
  readonly number: number;
  readonly container: ContainerReader;
}

function repeated({ status, offset, count, values }: AppendResult): CommandResult {
  if (status === "mismatch") return { status: "mismatch", nextOffset: offset };
  return { status: "appended", offset, count, isDuplicate: true, values };
}
