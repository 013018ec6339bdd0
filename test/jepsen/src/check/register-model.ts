/** One register: read, written, and compared and set. */

import { unreachable } from "@quorumlog/std";
import type { Model } from "./linearizability.ts";

/** `null`: the register is empty. */
export type RegisterValue = number | null;

export type RegisterCall =
  | { readonly action: "read"; readonly found: RegisterValue }
  | { readonly action: "write"; readonly value: number }
  | {
      readonly action: "compareAndSet";
      readonly expected: RegisterValue;
      readonly value: number;
      /** `undefined`: it is not known. */
      readonly hasSet: boolean | undefined;
    };

export const REGISTER_MODEL: Model<RegisterValue, RegisterCall> = {
  initial: null,
  step(state, call) {
    switch (call.action) {
      case "read":
        return call.found === state ? state : undefined;
      case "write":
        return call.value;
      case "compareAndSet": {
        const { expected, value, hasSet } = call;
        const sets = expected === state;
        if (hasSet !== undefined && hasSet !== sets) return undefined;
        return sets ? value : state;
      }
      default:
        return unreachable(call);
    }
  },
  keyOf: String,
};
