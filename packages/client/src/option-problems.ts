/**
 * What does not fit in what a program has given, all of it at once. Programs without types come
 * here, too, so nothing is taken for granted, and a name that is not known is a typo.
 */

import { type FieldProblem, OperationError } from "@quorumlog/protocol";
import { integerProblem, valueInWords } from "@quorumlog/std";

/** @returns what is wrong with a value, without its name. */
export type Check = (value: unknown) => string | undefined;

/** @throws OperationError `INVALID_ARGUMENT` with whatever does not fit */
export function demandOptions<Options extends object>(
  given: unknown,
  checks: { readonly [K in keyof Required<Options>]: Check },
  required: readonly (keyof Options & string)[] = [],
): asserts given is Options {
  if (!isObject(given)) throw invalid([{ field: "options", problem: "not an object" }]);
  const problems: FieldProblem[] = [];
  for (const [field, value] of Object.entries(given)) {
    if (!Object.hasOwn(checks, field)) problems.push({ field, problem: "unknown option" });
    else if (value !== undefined) {
      const problem = checks[field as keyof Options](value);
      if (problem !== undefined) problems.push({ field, problem });
    }
  }
  for (const field of required)
    if (given[field] === undefined) problems.push({ field, problem: "missing" });
  if (problems.length > 0) throw invalid(problems);
}

/** Of arguments that cannot be; nothing was done. */
export function invalid(problems: readonly FieldProblem[]): OperationError {
  const text = problems.map(({ field, problem }) => `${field}: ${problem}`).join("; ");
  return new OperationError("INVALID_ARGUMENT", text, { problems });
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** Both bounds are in it. */
export function integerIn(min: number, max: number): Check {
  return (value) => integerProblem(value, { min, max });
}

export function oneOf(...allowed: readonly string[]): Check {
  return (value) =>
    typeof value === "string" && allowed.includes(value)
      ? undefined
      : `${valueInWords(value)} is none of ${allowed.map((one) => `"${one}"`).join(", ")}`;
}

/** Text for which `problemOf` has no complaint. */
export function textThat(problemOf: (text: string) => string | undefined): Check {
  return (value) =>
    typeof value === "string" ? problemOf(value) : `${valueInWords(value)} is not text`;
}

export const anyText: Check = textThat(() => undefined);

export const callback: Check = (value) =>
  typeof value === "function" ? undefined : "not a function";

export const flag: Check = (value) =>
  typeof value === "boolean" ? undefined : "not true or false";

export const object: Check = (value) => (isObject(value) ? undefined : "not an object");

export const abortSignal: Check = (value) =>
  isObject(value) && typeof value["addEventListener"] === "function"
    ? undefined
    : "not an AbortSignal";

/** As `host:port`, at least one. */
export const addresses: Check = (value) => {
  if (!Array.isArray(value) || value.length === 0) return "not a list of one or more host:port";
  const wrong: unknown = value.find((one) => typeof one !== "string" || !/^.+:\d{1,5}$/u.test(one));
  return wrong === undefined ? undefined : `${valueInWords(wrong)} is not host:port`;
};
