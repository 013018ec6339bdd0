/**
 * Reads the fields of a message, and takes down what does not fit; then a stand-in is returned. All
 * problems are told in one error, up to a number of them.
 */

import { type FieldProblem, OperationError } from "@quorumlog/protocol";

const PROBLEM_COUNT_MAX = 20;
const UINT32_MAX = 2 ** 32 - 1;

export class FieldCheck {
  readonly #problems: FieldProblem[] = [];
  #leftOut = 0;

  fail(field: string, problem: string): void {
    if (this.#problems.length < PROBLEM_COUNT_MAX) this.#problems.push({ field, problem });
    else this.#leftOut += 1;
  }

  uint32(value: number | null | undefined, field: string, min = 0): number {
    const number = value ?? 0;
    if (Number.isInteger(number) && number >= min && number <= UINT32_MAX) return number;
    this.fail(field, `${number} is not an integer in [${min}, 2^32)`);
    return min;
  }

  /** Of 64 bits on the wire; what a number cannot hold is nothing that was counted. */
  count(value: number | null | undefined, field: string): number {
    const number = value ?? 0;
    if (Number.isSafeInteger(number) && number >= 0) return number;
    this.fail(field, `${number} is not an integer in [0, 2^53)`);
    return 0;
  }

  text(
    value: string | null | undefined,
    field: string,
    problemOf: (text: string) => string | undefined,
  ): string {
    const text = value ?? "";
    const problem = problemOf(text);
    if (problem !== undefined) this.fail(field, problem);
    return text;
  }

  /** One that is too long is not looked into. */
  list<T>(values: readonly T[] | null | undefined, field: string, countMax: number): readonly T[] {
    const list = values ?? [];
    if (list.length <= countMax) return list;
    this.fail(field, `${list.length} are more than ${countMax}`);
    return [];
  }

  unique(values: Iterable<number | string>, field: string): void {
    const seen = new Set<number | string>();
    for (const value of values) {
      if (seen.has(value)) this.fail(field, `${JSON.stringify(value)} is there twice`);
      seen.add(value);
    }
  }

  /** @throws OperationError `INVALID_ARGUMENT` if anything did not fit */
  end(what: string): void {
    const problems = this.#problems;
    if (problems.length === 0) return;
    const first = problems.map(({ field, problem }) => `${field}: ${problem}`).join("; ");
    const more = this.#leftOut === 0 ? "" : `; and ${this.#leftOut} more`;
    throw new OperationError("INVALID_ARGUMENT", `${what} is not valid: ${first}${more}`, {
      problems,
    });
  }
}
