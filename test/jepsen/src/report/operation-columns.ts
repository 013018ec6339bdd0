/** Operations as columns of numbers, which a page holds a million of. */

import { type Operation, outcomeOf } from "../history/history-event.ts";
import { type OperationColumns, OUTCOMES } from "./page/report-data.ts";

/** 27 bytes each, and a third more as base64. */
const OPERATIONS_MAX = 1_000_000;
const CODES_MAX = 255;

/** @param endNs - Of operations without an end: when the run was over. */
export function columnsOf(operations: readonly Operation[], endNs: number): OperationColumns {
  const shown = thinned(operations);
  const actions = new CodeTable([]);
  // What has no error has the first one.
  const errors = new CodeTable([""]);
  const column = (
    empty: Float64Array | Uint8Array | Uint32Array,
    valueOf: (operation: Operation) => number,
  ): string => {
    for (const [i, operation] of shown.entries()) empty[i] = valueOf(operation);
    return Buffer.from(empty.buffer, empty.byteOffset, empty.byteLength).toString("base64");
  };
  const { length } = shown;
  return {
    count: length,
    leftOut: operations.length - length,
    begins: column(new Float64Array(length), ({ invoke }) => invoke.timeNs),
    durations: column(new Float64Array(length), ({ invoke, completion }) =>
      Math.max(0, (completion?.timeNs ?? endNs) - invoke.timeNs),
    ),
    processes: column(new Uint32Array(length), ({ invoke }) => Number(invoke.process)),
    outcomes: column(new Uint8Array(length), (each) => OUTCOMES.indexOf(outcomeOf(each))),
    actionCodes: column(new Uint8Array(length), ({ invoke }) => actions.codeOf(invoke.action)),
    errorCodes: column(new Uint8Array(length), ({ completion }) =>
      errors.codeOf(completion?.error ?? ""),
    ),
    events: column(new Uint32Array(length), ({ invoke }) => invoke.index),
    actions: actions.names,
    errors: errors.names,
  };
}

/** Whatever did not go well stays; of the others every second, third, ... is left out. */
function thinned(operations: readonly Operation[]): readonly Operation[] {
  if (operations.length <= OPERATIONS_MAX) return operations;
  const every = Math.ceil(operations.length / OPERATIONS_MAX);
  return operations.filter((each, i) => i % every === 0 || outcomeOf(each) !== "ok");
}

/** Numbers for names, by the order in which they were seen; the last one stands for all others. */
class CodeTable {
  readonly names: string[];
  readonly #codes: Map<string, number>;

  constructor(names: readonly string[]) {
    this.names = [...names];
    this.#codes = new Map(names.map((name, code) => [name, code]));
  }

  codeOf(name: string): number {
    const known = this.#codes.get(name);
    if (known !== undefined) return known;
    if (this.names.length > CODES_MAX) return CODES_MAX;
    const code = this.names.length;
    this.names.push(code < CODES_MAX ? name : "others");
    this.#codes.set(name, code);
    return code;
  }
}
