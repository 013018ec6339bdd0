/** The operations of a workload, out of the columns that came with the page. */

import { type OperationColumns, OUTCOMES } from "./report-data.ts";

/** Of outcomes: `ok` is 0. */
export const INFO: number = OUTCOMES.indexOf("info");

export class OperationTable {
  readonly count: number;
  readonly leftOut: number;
  readonly begins: Float64Array;
  readonly durations: Float64Array;
  readonly processes: Uint32Array;
  readonly outcomes: Uint8Array;
  readonly events: Uint32Array;
  readonly #actionCodes: Uint8Array;
  readonly #errorCodes: Uint8Array;
  readonly #columns: OperationColumns;

  constructor(columns: OperationColumns) {
    this.#columns = columns;
    this.count = columns.count;
    this.leftOut = columns.leftOut;
    this.begins = new Float64Array(bytesOf(columns.begins));
    this.durations = new Float64Array(bytesOf(columns.durations));
    this.processes = new Uint32Array(bytesOf(columns.processes));
    this.outcomes = new Uint8Array(bytesOf(columns.outcomes));
    this.events = new Uint32Array(bytesOf(columns.events));
    this.#actionCodes = new Uint8Array(bytesOf(columns.actionCodes));
    this.#errorCodes = new Uint8Array(bytesOf(columns.errorCodes));
  }

  beginNs(operation: number): number {
    return this.begins[operation] ?? 0;
  }

  endNs(operation: number): number {
    return this.beginNs(operation) + (this.durations[operation] ?? 0);
  }

  outcome(operation: number): number {
    return this.outcomes[operation] ?? INFO;
  }

  /** The place of an operation in this table; -1: it is not shown. */
  findByEvent(event: number): number {
    const place = firstFrom(this.events, event);
    return this.events[place] === event ? place : -1;
  }

  /** How many ended within a part of the run. */
  countEnded({ beginNs, endNs }: { readonly beginNs: number; readonly endNs: number }): number {
    let count = 0;
    for (let i = 0; i < this.count; i++) {
      const ns = this.endNs(i);
      if (ns >= beginNs && ns < endNs) count += 1;
    }
    return count;
  }

  /** In words, with its outcome. */
  describe(operation: number): string {
    const action = this.#columns.actions[this.#actionCodes[operation] ?? 0] ?? "";
    const error = this.#columns.errors[this.#errorCodes[operation] ?? 0] ?? "";
    const outcome = OUTCOMES[this.outcome(operation)] ?? "info";
    return `${action}: ${outcome}${error === "" ? "" : `, ${error}`}`;
  }
}

/** Where the first is that is not less; ascending. */
export function firstFrom(values: ArrayLike<number>, least: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] ?? 0) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

function bytesOf(base64: string): ArrayBuffer {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes.buffer;
}
