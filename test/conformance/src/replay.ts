/**
 * Replays a script and compares, directive by directive, what came out with what was expected.
 *
 * Two comparisons. Tier A: everything. Tier B: everything but log lines, which pins each message,
 * entry, hard state and progress. Tier B decides.
 */

import { ConfigurationInterpreter } from "./confchange.ts";
import { InteractionInterpreter } from "./interaction/interaction-interpreter.ts";
import type { Interpreter } from "./interpreter.ts";
import { QuorumInterpreter } from "./quorum.ts";
import type { Directive, Script } from "./script.ts";

export type Grammar = "interaction" | "confchange" | "quorum";

export interface Outcome {
  readonly directive: Directive;
  /** Ends in a newline unless empty. */
  readonly actual: string;
  readonly isEqual: boolean;
  readonly isEqualWithoutLog: boolean;
  /** The core failed an assertion, or broke a promise of Raft: wrong, whatever is expected. */
  readonly isPanic: boolean;
}

const INTERPRETERS: Readonly<Record<Grammar, () => Interpreter>> = {
  interaction: () => new InteractionInterpreter(),
  confchange: () => new ConfigurationInterpreter(),
  quorum: () => new QuorumInterpreter(),
};

const LOG_LINE = /^(?: {2})*(?:DEBUG|INFO|WARN|ERROR) /;

export function replay(script: Script, grammar: Grammar): Outcome[] {
  const interpreter = INTERPRETERS[grammar]();
  return script.directives.map((directive) => {
    const { expected } = directive;
    const { text, isPanic } = runGuarded(interpreter, directive);
    const actual = text === "" || text.endsWith("\n") ? text : `${text}\n`;
    const isEqual = !isPanic && actual === expected;
    const isEqualWithoutLog = !isPanic && withoutLog(actual) === withoutLog(expected);
    return { directive, actual, isEqual, isEqualWithoutLog, isPanic };
  });
}

/**
 * The text without its log lines. `ok` stands for no output at all, so text of which only log lines
 * remain is the same as `ok`.
 */
export function withoutLog(text: string): string {
  const lines = text.split("\n").filter((line) => !LOG_LINE.test(line));
  const rest = lines.join("\n");
  return rest === "ok\n" ? "" : rest;
}

function runGuarded(
  interpreter: Interpreter,
  directive: Directive,
): { readonly text: string; readonly isPanic: boolean } {
  try {
    return { text: interpreter.run(directive), isPanic: false };
  } catch (error) {
    // A core that fails an assertion fails its directive; the report goes on with the next one.
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { text: `panic: ${text}`, isPanic: true };
  }
}
