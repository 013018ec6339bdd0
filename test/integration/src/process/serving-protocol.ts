/** What a process that serves calls, and whoever has started it, say to each other. */

import type { ErrorReport } from "./error-report.ts";

/** By name: what a call takes, and what it gives. */
export type CallTable<Calls> = {
  readonly [Name in keyof Calls]: readonly [input: unknown, answer: unknown];
};

/** To the process. */
export interface CallMessage<Calls> {
  readonly id: number;
  readonly name: keyof Calls;
  readonly input: unknown;
}

/** From the process. */
export type ServingWord =
  /** Calls are answered from now on. */
  { readonly type: "ready" } | ReplyWord | FatalWord;

export type ReplyWord =
  | { readonly type: "result"; readonly id: number; readonly value: unknown }
  | { readonly type: "error"; readonly id: number; readonly error: ErrorReport };

/** It ends because of this. */
export interface FatalWord {
  readonly type: "fatal";
  readonly during: "open" | "service";
  readonly error: ErrorReport;
}

/** How such a process ends by itself. */
export const EXIT_CODE = { closed: 0, cannotOpen: 40, failed: 41, orphaned: 42 } as const;
