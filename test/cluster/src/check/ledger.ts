/**
 * What stands at which offset, as the first replica that applied it has shown; and what clients
 * were told. One disagreement is a violation.
 */

import type { LogRecord } from "@quorumlog/replica";
import type { Story } from "../engine/story.ts";
import { hold } from "../engine/violation.ts";
import { isSame, type Operation, operationIdOf } from "../client/operation.ts";

/** What a client has read, and still looks at. */
interface Read {
  readonly nodeId: number;
  readonly from: number;
  readonly records: readonly LogRecord[];
}

const KEPT_READS = 8;

export class Ledger {
  readonly #story: Story;
  readonly #operations = new Map<number, Operation>();
  /** By offset. */
  readonly #found: Operation[] = [];
  readonly #kept: Read[] = [];
  /** The offset behind everything that was acknowledged. */
  ackedEnd = 0;
  ackedCount = 0;
  /** Up to where anybody has asked for a trim. */
  trimWanted = 0;

  constructor(story: Story) {
    this.#story = story;
  }

  /** The offset behind everything that was ever applied. */
  get end(): number {
    return this.#found.length;
  }

  get operationCount(): number {
    return this.#operations.size;
  }

  add(operation: Operation): void {
    this.#operations.set(operation.id, operation);
  }

  /** A replica applies the records of one call. */
  onApply(nodeId: number, offset: number, records: readonly Uint8Array[]): void {
    const known = this.#found[offset];
    if (known === undefined) this.#onFirst(nodeId, offset, records);
    else this.#compare(nodeId, offset, { known, records });
  }

  /** A replica has read; the reader keeps some of it for a while, and looks at it again. */
  onRead(nodeId: number, from: number, records: readonly LogRecord[]): void {
    this.#compareRead(nodeId, from, records);
    this.#kept.push({ nodeId, from, records });
    if (this.#kept.length <= KEPT_READS) return;
    const oldest = this.#kept.shift() as Read;
    this.#compareRead(oldest.nodeId, oldest.from, oldest.records);
  }

  #compareRead(nodeId: number, from: number, records: readonly LogRecord[]): void {
    let next = from;
    for (const { offset, data } of records) {
      hold(offset === next, "reads are dense", () => {
        return `node ${nodeId} read offset ${offset} where ${next} was next`;
      });
      this.#demandSame(nodeId, offset, data);
      next += 1;
    }
  }

  /** A client was told of success, with the offset. */
  onAcknowledged(operation: Operation, offset: number, nodeId: number): void {
    const { id, foundAt, records } = operation;
    hold(foundAt === offset, "what is acknowledged was applied at that offset", () => {
      return `node ${nodeId} acknowledged operation ${id} at ${offset}, found at ${foundAt}`;
    });
    this.ackedCount += 1;
    this.ackedEnd = Math.max(this.ackedEnd, offset + records.length);
  }

  /** A client was told that it did not happen, and will not. */
  onNotApplied(operation: Operation): void {
    hold(operation.foundAt === undefined, "what is not applied is nowhere", () => {
      return `operation ${operation.id} is at offset ${operation.foundAt}`;
    });
  }

  /** At the end, nothing more can be found. */
  countOutcomes(): void {
    for (const { outcome, foundAt } of this.#operations.values())
      if (outcome === "unknown" && foundAt === undefined)
        this.#story.count("unknown, and never found");
      else if (outcome === "promised" && foundAt === undefined)
        this.#story.count("acknowledged below quorum, and lost");
  }

  #onFirst(nodeId: number, offset: number, records: readonly Uint8Array[]): void {
    hold(offset === this.#found.length, "offsets are dense", () => {
      return `node ${nodeId} applied offset ${offset}, and ${this.#found.length} is next`;
    });
    const id = records[0] === undefined ? undefined : operationIdOf(records[0]);
    const operation = id === undefined ? undefined : this.#operations.get(id);
    hold(operation !== undefined, "what is applied was asked for", () => {
      return `node ${nodeId} applied something at offset ${offset} that nobody appended`;
    });
    this.#demandBytes(nodeId, operation, { offset, records });
    hold(operation.foundAt === undefined, "an append is stored once", () => {
      return `operation ${operation.id} is at ${operation.foundAt} and at ${offset}`;
    });
    hold(operation.outcome !== "not-applied", "what is not applied is nowhere", () => {
      return `operation ${operation.id} is at offset ${offset}, after its client was told`;
    });
    const { expectedOffset, floor } = operation;
    hold(expectedOffset === -1 || expectedOffset === offset, "an expected offset is kept", () => {
      return `operation ${operation.id} wanted ${expectedOffset}, and is at ${offset}`;
    });
    hold(offset >= floor, "what comes later is behind what was acknowledged", () => {
      return `operation ${operation.id} is at ${offset}, asked for when ${floor} was acknowledged`;
    });
    operation.foundAt = offset;
    for (let i = 0; i < records.length; i++) this.#found.push(operation);
    this.#story.mix(operation.id, offset);
    if (operation.hadUnknown) this.#story.count("unknown, then found");
  }

  #compare(
    nodeId: number,
    offset: number,
    { known, records }: { known: Operation; records: readonly Uint8Array[] },
  ): void {
    hold(known.foundAt === offset, "replicas agree", () => {
      return `node ${nodeId} begins a call at ${offset}, within operation ${known.id}`;
    });
    this.#demandBytes(nodeId, known, { offset, records });
  }

  #demandBytes(
    nodeId: number,
    operation: Operation,
    { offset, records }: { offset: number; records: readonly Uint8Array[] },
  ): void {
    const isEqual =
      operation.records.length === records.length &&
      operation.records.every((record, i) => isSame(record, records[i] as Uint8Array));
    hold(isEqual, "replicas agree", () => {
      return `node ${nodeId} has other bytes than operation ${operation.id} at offset ${offset}`;
    });
  }

  #demandSame(nodeId: number, offset: number, data: Uint8Array): void {
    const operation = this.#found[offset];
    const expected = operation?.records[offset - (operation.foundAt ?? 0)];
    hold(expected !== undefined && isSame(expected, data), "reads see what was appended", () => {
      return `node ${nodeId} read other bytes at offset ${offset}: operation ${operation?.id}`;
    });
  }
}
