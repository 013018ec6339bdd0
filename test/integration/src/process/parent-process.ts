/** A process's own end of what it, and the test that has started it, say to each other. */

import { reportOf } from "./error-report.ts";
import {
  type CallMessage,
  type CallTable,
  EXIT_CODE,
  type FatalWord,
  type ReplyWord,
  type ServingWord,
} from "./serving-protocol.ts";

/** One for each call. */
export type CallHandlers<Calls extends CallTable<Calls>> = {
  readonly [Name in keyof Calls]: (
    input: Calls[Name][0],
  ) => Calls[Name][1] | Promise<Calls[Name][1]>;
};

/** A process that has nobody to tell its failure to ends nevertheless. */
const LAST_WORDS_MS = 2_000;

/**
 * Whoever is gone hears nothing: see {@link endWithParent}.
 *
 * @param onTold - It was sent, or is lost.
 */
export function tell(word: object, onTold: () => void = () => undefined): void {
  process.send?.(word, undefined, undefined, () => {
    onTold();
  });
}

/** Ends this process with its last word. */
function endWith(exitCode: number, word: ServingWord): void {
  const end = (): void => {
    process.exit(exitCode);
  };
  setTimeout(end, LAST_WORDS_MS);
  tell(word, end);
}

/** Ends this process, and says why. */
export function fail(during: FatalWord["during"], error: unknown): void {
  const exitCode = during === "open" ? EXIT_CODE.cannotOpen : EXIT_CODE.failed;
  endWith(exitCode, { type: "fatal", during, error: reportOf(error) });
}

/** Whoever has started this process may end in any way: this one does, too. */
export function endWithParent(exitCode: number = EXIT_CODE.orphaned): void {
  process.once("disconnect", () => process.exit(exitCode));
}

/** Says that this process is ready, and answers calls; it ends behind the answer to `close`. */
export function serveCalls<Calls extends CallTable<Calls> & { readonly close: unknown }>(
  handlers: CallHandlers<Calls>,
): void {
  process.on("message", (message) => {
    const call = message as CallMessage<Calls>;
    void answer(call, handlers).then((reply) => {
      if (call.name === "close" && reply.type === "result") endWith(EXIT_CODE.closed, reply);
      else tell(reply);
    });
  });
  tell({ type: "ready" } satisfies ServingWord);
}

async function answer<Calls extends CallTable<Calls>>(
  { id, name, input }: CallMessage<Calls>,
  handlers: CallHandlers<Calls>,
): Promise<ReplyWord> {
  try {
    return { type: "result", id, value: await handlers[name](input) };
  } catch (error) {
    return { type: "error", id, error: reportOf(error) };
  }
}
