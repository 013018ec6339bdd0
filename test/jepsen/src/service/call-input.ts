/** What a call was given: it came from another process, and is looked at before it is used. */

import { badCall } from "./call-error.ts";

export class CallInput {
  readonly #fields: Readonly<Record<string, unknown>>;

  /** @throws CallError `INVALID_ARGUMENT` */
  constructor(text: string) {
    let read: unknown;
    try {
      read = JSON.parse(text);
    } catch {
      // What is wrong with it helps nobody: both ends are of this suite.
      throw badCall("a call is given JSON");
    }
    if (typeof read !== "object" || read === null) throw badCall("a call is given named fields");
    this.#fields = read as Readonly<Record<string, unknown>>;
  }

  /** @throws CallError `INVALID_ARGUMENT` unless it is a whole number from 0 on. */
  count(field: string): number {
    const value = this.optionalCount(field);
    if (value === undefined) throw badCall(`${field}: it is missing`);
    return value;
  }

  /** @throws CallError `INVALID_ARGUMENT` */
  optionalCount(field: string): number | undefined {
    const value = this.#fields[field];
    if (value === undefined || value === null) return undefined;
    if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
    throw badCall(`${field}: ${JSON.stringify(value)} is no whole number from 0 on`);
  }

  /** How long whoever asks waits: what comes later has nobody to hear it. */
  get wait(): { readonly timeoutMs: number } {
    return { timeoutMs: this.count("timeoutMs") };
  }
}
