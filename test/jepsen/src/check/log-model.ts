/** One log, for the search: what `append-check.ts` decides in linear time, by trying. */

import { unreachable } from "@quorumlog/std";
import type { Model } from "./linearizability.ts";

export type LogCall =
  /** `offset`: `undefined`, it is not known. */
  | { readonly action: "append"; readonly value: number; readonly offset: number | undefined }
  | {
      readonly action: "compareAndAppend";
      readonly value: number;
      readonly expected: number;
      /** Where the log ended; `undefined`: it is not known. */
      readonly end: number | undefined;
    }
  | {
      readonly action: "read";
      readonly from: number;
      readonly values: readonly number[];
      /** `undefined`: there may be more behind them. */
      readonly end: number | undefined;
    };

type LogState = readonly number[];

export const LOG_MODEL: Model<LogState, LogCall> = {
  initial: [],
  step(state, call) {
    switch (call.action) {
      case "append": {
        const { value, offset = state.length } = call;
        return offset === state.length ? [...state, value] : undefined;
      }
      case "compareAndAppend": {
        const { value, expected, end = state.length } = call;
        if (end !== state.length) return undefined;
        return expected === end ? [...state, value] : state;
      }
      case "read": {
        const { from, values, end = state.length } = call;
        const isSo = values.every((value, i) => state[from + i] === value);
        return isSo && end === state.length ? state : undefined;
      }
      default:
        return unreachable(call);
    }
  },
  keyOf(state) {
    return state.join();
  },
};
