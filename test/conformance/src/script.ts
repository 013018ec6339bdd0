/**
 * The text format of the scripts: a list of directives, each with what is expected of it.
 *
 *     # A comment, between directives only.
 *     command argument key=value key=(value, value)
 *     input lines, if the command takes any
 *     ----
 *     expected output, up to the first blank line
 *
 * Output that holds a blank line stands between two pairs of separators instead:
 *
 *     command
 *     ----
 *     ----
 *     first line
 *
 *     last line
 *     ----
 *     ----
 *
 * This is the format of cockroachdb/datadriven, of which the recorded scripts make use.
 */

/** `key`, `key=value` or `key=(value, …)`; no values in the first form. */
export interface Argument {
  readonly key: string;
  readonly values: readonly string[];
}

export interface CommandLine {
  readonly command: string;
  readonly args: readonly Argument[];
}

export interface Directive extends CommandLine {
  /** Of the command, counted from 1. */
  readonly line: number;
  /** The command as it is written, without its input. */
  readonly text: string;
  readonly input: readonly string[];
  /** Ends in a newline unless empty. */
  readonly expected: string;
  /** The lines of `Script.lines` after the separator, half open, that hold the expectation. */
  readonly expectedRange: { readonly from: number; readonly to: number };
}

export interface Script {
  readonly lines: readonly string[];
  readonly directives: readonly Directive[];
}

/** The script is not in the format. */
export class ScriptError extends Error {
  override readonly name = "ScriptError";
  /** Counted from 1; 0 if the text stands alone. */
  readonly line: number;

  constructor(line: number, problem: string) {
    super(line === 0 ? problem : `line ${line}: ${problem}`);
    this.line = line;
  }
}

const SEPARATOR = "----";

/** @throws {@link ScriptError} at the first line that is not in the format. */
export function parseScript(text: string): Script {
  const lines = text.split("\n").map((line) => line.replace(/\r$/, ""));
  if (lines.at(-1) === "") lines.pop();
  const directives: Directive[] = [];
  let at = 0;
  while (at < lines.length) {
    if (isBlank(lines[at]) || lines[at]?.trimStart().startsWith("#") === true) {
      at += 1;
      continue;
    }
    const directive = parseDirective(lines, at);
    directives.push(directive);
    at = directive.expectedRange.to;
  }
  return { lines, directives };
}

/**
 * The script's text with `outputs` in place of what it expected, one for each directive.
 */
export function renderScript(script: Script, outputs: readonly string[]): string {
  const lines: string[] = [];
  let copied = 0;
  for (const [i, directive] of script.directives.entries()) {
    const { from, to } = directive.expectedRange;
    lines.push(...script.lines.slice(copied, from), ...expectationLines(outputs[i] ?? ""));
    copied = to;
  }
  lines.push(...script.lines.slice(copied));
  return `${lines.join("\n")}\n`;
}

/**
 * Reads `command argument key=value key=(value, value)`.
 *
 * @throws {@link ScriptError} if it cannot be read to its end.
 */
export function parseCommandLine(text: string, line = 0): CommandLine {
  const pattern = /\s*([^\s=()]+)(=(?:\(([^()]*)\)|([^\s()]*)))?(?=\s|$)/y;
  const args: Argument[] = [];
  const end = text.trimEnd().length;
  while (pattern.lastIndex < end) {
    const at = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null) throw new ScriptError(line, `cannot read "${text.slice(at).trim()}"`);
    args.push({ key: match[1] ?? "", values: valuesOf(match) });
  }
  const [command, ...rest] = args;
  if (command === undefined || command.values.length > 0)
    throw new ScriptError(line, `"${text}" does not begin with a command`);
  return { command: command.key, args: rest };
}

function valuesOf(match: RegExpExecArray): string[] {
  const [, , assigned, list, single] = match;
  if (assigned === undefined) return [];
  if (list === undefined) return [single ?? ""];
  return list
    .split(",")
    .map((value) => value.trim())
    .filter((value) => value !== "");
}

function parseDirective(lines: readonly string[], start: number): Directive {
  let at = start;
  let text = (lines[at] as string).trim();
  // A command may be continued on the next line.
  while (text.endsWith("\\") && at + 1 < lines.length) {
    at += 1;
    text = `${text.slice(0, -1).trimEnd()} ${(lines[at] as string).trim()}`;
  }
  const line = start + 1;
  const command = parseCommandLine(text, line);
  const input: string[] = [];
  for (at += 1; lines[at] !== SEPARATOR; at++) {
    if (at >= lines.length || isBlank(lines[at]))
      throw new ScriptError(line, `"${text}" has no ${SEPARATOR} after it`);
    input.push((lines[at] as string).trim());
  }
  const { expected, to } = parseExpectation(lines, at + 1);
  return { ...command, line, text, input, expected, expectedRange: { from: at + 1, to } };
}

function parseExpectation(
  lines: readonly string[],
  from: number,
): { readonly expected: string; readonly to: number } {
  const isDouble = lines[from] === SEPARATOR;
  const isEnd = (at: number): boolean =>
    isDouble ? lines[at] === SEPARATOR && lines[at + 1] === SEPARATOR : isBlank(lines[at]);
  const first = isDouble ? from + 1 : from;
  let at = first;
  while (at < lines.length && !isEnd(at)) at += 1;
  if (isDouble && at === lines.length)
    throw new ScriptError(from + 1, "the expectation does not end in two separators");
  const expected = lines
    .slice(first, at)
    .map((line) => `${line}\n`)
    .join("");
  return { expected, to: isDouble ? at + 2 : at };
}

function expectationLines(output: string): string[] {
  if (output === "") return [];
  const lines = output.replace(/\n$/, "").split("\n");
  // A separator in the output would be mistaken for the closing one of the plain form, too.
  const isPlain = !lines.some((line) => isBlank(line)) && lines[0] !== SEPARATOR;
  return isPlain ? lines : [SEPARATOR, ...lines, SEPARATOR, SEPARATOR];
}

function isBlank(line: string | undefined): boolean {
  return line === undefined || line.trim() === "";
}
