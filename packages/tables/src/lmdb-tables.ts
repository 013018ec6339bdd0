/**
 * Tables in memory that are kept in LMDB, written behind: a restart finds them there, as of some
 * entry not long ago, and has only the entries since then to apply.
 *
 *     group-<id>/tables/data.mdb    and lock.mdb: LMDB's
 *     group-<id>/tables/opening     only while the database is read
 *     group-<id>/tables/writing     only during the first commit of a process
 *     group-<id>/tables.damaged     what was found to be damaged last, for a look
 */

import {
  type Checkpoint,
  type CheckpointCut,
  CheckpointError,
  type CheckpointInit,
  type CheckpointPosition,
  type CheckpointRow,
} from "@quorumlog/replica";
import { assert, required } from "@quorumlog/std";
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type CheckpointRecord, decodeRecord, FORMAT } from "./checkpoint-record.ts";
import type { Codec } from "./codec.ts";
import type { LateRow, LateRows } from "./late-rows.ts";
import { openLmdb, type OpenEnvironment } from "./lmdb-api.ts";
import { LmdbEnvironment } from "./lmdb-environment.ts";
import { OpeningNote } from "./opening-note.ts";
import { RowChanges } from "./row-changes.ts";
import { parseStoredKey, parseStoredValue, rowChecksum, storedKey } from "./stored-row.ts";
import { TableSet } from "./table-set.ts";
import type { Table, Tables } from "./table.ts";
import { type RecordHead, type RowChange, type WholeRow, WriteBehind } from "./write-behind.ts";

export interface LmdbTablesOptions {
  /** How to open the database; default lmdb-js's own `open`. */
  readonly openEnvironment?: OpenEnvironment;
}

const OWN_ROWS = 0;

export class LmdbTables implements Tables, Checkpoint {
  readonly #openEnvironment: OpenEnvironment;
  readonly #set: TableSet;
  readonly #changes: RowChanges;
  /** Checksums of the replica's rows as the last cut left them. */
  readonly #ownChecksums = new Map<string, number>();
  #init: CheckpointInit | undefined;
  #environment: LmdbEnvironment | undefined;
  #record: CheckpointRecord | undefined;
  #writer: WriteBehind | undefined;
  #isWhole = true;
  #isCondemned = false;
  #closing: Promise<void> | undefined;

  /**
   * For one replica of one group: pass it as `checkpoint` where that is opened.
   *
   * @param names - Of all tables: 1 to 64 letters, digits, `_`, `.` or `-` each. With other ones
   *   than what was kept has, the state comes from the last snapshot.
   * @throws RangeError
   */
  constructor(names: readonly string[], options: LmdbTablesOptions = {}) {
    this.#openEnvironment = options.openEnvironment ?? openLmdb;
    this.#set = new TableSet(names, {
      onChange: (place, former, bytes) => {
        if (!this.#isWhole) this.#changes.note(place, former, bytes);
      },
      onReplaced: () => {
        this.#isWhole = true;
        this.#changes.clear();
      },
    });
    this.#changes = new RowChanges(this.#set.names.length);
  }

  table<Value>(name: string, codec: Codec<Value>): Table<Value> {
    return this.#set.table(name, codec);
  }

  late<Row extends LateRow>(write: (row: Row) => void): LateRows<Row> {
    return this.#set.late(write);
  }

  snapshot(): Iterable<Uint8Array> {
    return this.#set.snapshot();
  }

  restore(chunks: Iterable<Uint8Array>): void {
    this.#set.restore(chunks);
  }

  get changedBytes(): number {
    return this.#changes.bytes + this.#set.lateBytes;
  }

  get pendingBytes(): number {
    return this.#writer?.pendingBytes ?? 0;
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  open(init: CheckpointInit): CheckpointPosition | undefined {
    assert(this.#init === undefined, "tables belong to one replica");
    this.#init = init;
    const directory = this.#directory();
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const note = new OpeningNote(directory);
    if (note.begin())
      this.#giveUp(this.#corrupt("a commit had failed, or whoever read it did not survive"));
    else if (new OpeningNote(directory, "writing").isSpent)
      this.#giveUp(this.#corrupt("whoever wrote to it did not survive"));
    try {
      this.#record = this.#openDatabase();
    } catch (error) {
      note.end();
      throw error;
    }
    const isUsable = this.#record !== undefined && isEqual(this.#record.tables, this.#set.names);
    // Whoever loads it reads far more of it: that is the same attempt.
    if (!isUsable) note.end();
    if (this.#record === undefined || !isUsable) return undefined;
    const { index, term, configuration } = this.#record;
    return { index, term, configuration: Buffer.from(configuration, "base64") };
  }

  load(): ReadonlyMap<string, Uint8Array> | undefined {
    try {
      return this.#load(required(this.#record, "there is something to load"));
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      this.#giveUp(error);
      return undefined;
    } finally {
      new OpeningNote(this.#directory()).end();
    }
  }

  cut({ position, rows }: CheckpointCut): void {
    const writer = this.#openWriter();
    this.#set.saveLate();
    const head = this.#head(position);
    if (this.#isWhole) {
      this.#isWhole = false;
      this.#changes.clear();
      this.#ownChecksums.clear();
      const own = this.#ownChanges(rows);
      writer.push({ kind: "whole", head, rows: wholeRows(own, this.#set) });
      return;
    }
    const bytes = this.#changes.bytes;
    const changes = [...this.#ownChanges(rows), ...this.#changes.take(this.#set)];
    writer.push({ kind: "changes", head, rows: changes, bytes: bytes + sizeOf(rows) });
  }

  close(onClosed: () => void): void {
    this.#closing ??= this.#close();
    this.#closing.then(onClosed, onClosed);
  }

  async #close(): Promise<void> {
    await this.#writer?.drained();
    await this.#environment?.close();
    // Where nothing was loaded or written, nobody has said so far that opening it went well.
    if (this.#init !== undefined && !this.#isCondemned)
      tryToNote(() => {
        new OpeningNote(this.#directory()).end();
      });
  }

  #openWriter(): WriteBehind {
    assert(this.#environment !== undefined, "nothing is cut before the checkpoint is open");
    const { onDurable, onFailure } = required(this.#init, "what is open was opened");
    if (this.#writer !== undefined) return this.#writer;
    const opening = new OpeningNote(this.#directory());
    const writing = new OpeningNote(this.#directory(), "writing");
    let isFirst = true;
    tryToNote(() => writing.begin());
    this.#writer = new WriteBehind({
      environment: this.#environment,
      directory: this.#directory(),
      record: this.#record,
      onDurable: () => {
        if (isFirst)
          tryToNote(() => {
            // Where nothing was loaded, this says that opening it went well.
            opening.end();
            writing.end();
          });
        isFirst = false;
        onDurable();
      },
      onFailure: (error) => {
        this.#isCondemned = true;
        tryToNote(() => {
          opening.condemn();
          // It has failed, and ended nobody.
          writing.end();
        });
        onFailure(error);
      },
    });
    return this.#writer;
  }

  /** @throws CheckpointError `CHECKPOINT_FOREIGN`, `CHECKPOINT_VERSION`, `CHECKPOINT_FAILED` */
  #openDatabase(): CheckpointRecord | undefined {
    try {
      this.#environment = new LmdbEnvironment(this.#directory(), this.#openEnvironment);
      return this.#readRecord(this.#environment);
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      if (error.code !== "CHECKPOINT_CORRUPT") {
        this.close(() => undefined);
        throw error;
      }
      this.#giveUp(error);
      return undefined;
    }
  }

  #readRecord(environment: LmdbEnvironment): CheckpointRecord | undefined {
    const bytes = environment.record();
    if (bytes === undefined) return undefined;
    const record = decodeRecord(bytes);
    if (record === "damaged") throw this.#corrupt("what the checkpoint says of itself is damaged");
    const file = this.#directory();
    if (typeof record === "number") {
      const message =
        `written in format ${record}, and this version knows ${FORMAT}: run a later one, or ` +
        "remove the folder, and the state comes from the last snapshot";
      throw new CheckpointError("CHECKPOINT_VERSION", message, { file });
    }
    const { clusterId, groupId, nodeId, incarnation } = record;
    const init = required(this.#init, "what is read was opened");
    const isOwn =
      clusterId === init.clusterId &&
      groupId === init.groupId &&
      nodeId === init.nodeId &&
      incarnation === init.incarnation;
    if (isOwn) return record;
    const message = `of cluster ${clusterId}, group ${groupId}, node ${nodeId} (${incarnation})`;
    throw new CheckpointError("CHECKPOINT_FOREIGN", message, { file });
  }

  /** @throws CheckpointError `CHECKPOINT_CORRUPT`, and then the tables are what they were. */
  #load(record: CheckpointRecord): ReadonlyMap<string, Uint8Array> {
    const environment = required(this.#environment, "a record was read from a database");
    const tables = this.#set.emptyTables();
    const own = new Map<string, Uint8Array>();
    let rowCount = 0;
    let digest = 0;
    environment.each(record.generation, (key, stored) => {
      const row = parseStoredValue(key, stored);
      if (row === undefined) throw this.#corrupt("a row is damaged");
      const place = parseStoredKey(key);
      if (place.number === OWN_ROWS) {
        own.set(place.key, row.value);
        this.#ownChecksums.set(place.key, row.checksum);
      } else required(tables[place.number - 1], "rows are of a table").set(place.key, row.value);
      rowCount += 1;
      digest = (digest ^ row.checksum) >>> 0;
    });
    if (rowCount !== record.rowCount || digest !== record.digest)
      throw this.#corrupt(`${rowCount} rows are not the ${record.rowCount} that were written`);
    this.#set.replace(tables);
    this.#isWhole = false;
    return own;
  }

  /** The rows of a cut as changes, with what the one before left in their place. */
  #ownChanges(rows: readonly CheckpointRow[]): RowChange[] {
    return rows.map(({ key, value }) => {
      const stored = storedKey(OWN_ROWS, key);
      const formerChecksum = this.#ownChecksums.get(key);
      if (value === undefined) this.#ownChecksums.delete(key);
      else this.#ownChecksums.set(key, rowChecksum(stored, value));
      return { key: stored, value, formerChecksum };
    });
  }

  #head({ index, term, configuration }: CheckpointPosition): RecordHead {
    const { clusterId, groupId, nodeId, incarnation } = required(this.#init, "it is open");
    const text = Buffer.from(configuration).toString("base64");
    const identity = { clusterId, groupId, nodeId, incarnation };
    return { ...identity, tables: this.#set.names, index, term, configuration: text };
  }

  #corrupt(message: string): CheckpointError {
    return new CheckpointError("CHECKPOINT_CORRUPT", message, { file: this.#directory() });
  }

  /** Sets aside what is there, says why, and begins anew. */
  #giveUp(error: CheckpointError): void {
    const directory = this.#directory();
    const damaged = `${directory}.damaged`;
    // Its file stays mapped until then, under whatever name.
    this.#environment?.close().catch(() => undefined);
    rmSync(damaged, { recursive: true, force: true });
    renameSync(directory, damaged);
    mkdirSync(directory, { mode: 0o700 });
    this.#environment = new LmdbEnvironment(directory, this.#openEnvironment);
    this.#record = undefined;
    this.#ownChecksums.clear();
    this.#isWhole = true;
    required(this.#init, "what is damaged was opened").onDamaged(error);
  }

  #directory(): string {
    return join(required(this.#init, "it is open").directory, "tables");
  }
}

function tryToNote(note: () => void): void {
  try {
    note();
  } catch {
    // The disk takes nothing more. Then the file is read again, and is that of the last commit.
  }
}

/** The rows as they are now, whatever is changed meanwhile. */
function wholeRows(own: readonly RowChange[], set: TableSet): Iterable<WholeRow> {
  const tables = set.names.map((_name, number) => set.rows(number).entries());
  return chained(own, tables);
}

function* chained(
  own: readonly RowChange[],
  tables: readonly Iterable<[string, Uint8Array]>[],
): Generator<WholeRow> {
  for (const { key, value } of own) if (value !== undefined) yield { key, value };
  for (const [number, rows] of tables.entries())
    for (const [key, value] of rows) yield { key: storedKey(number + 1, key), value };
}

function sizeOf(rows: readonly CheckpointRow[]): number {
  return rows.reduce((sum, { key, value }) => sum + key.length + (value?.byteLength ?? 0), 0);
}

function isEqual(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i]);
}
