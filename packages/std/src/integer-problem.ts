/** What is wrong with a number that somebody has given, in the same words everywhere. */

/** Both are in it. */
export interface IntegerRange {
  readonly min: number;
  readonly max: number;
}

/** Of a text that is shown. */
const TEXT_LENGTH_SHOWN = 60;

/**
 * Checks a value from outside that has to be a whole number: an option of a program, which may have
 * been written without types.
 *
 * @param value - Of any type; a text of digits is no number.
 * @returns words to stand behind the name of the option, as in `2.5 is not an integer in [1, 10]`,
 *   or `undefined` if the value fits. It never throws.
 */
export function integerProblem(value: unknown, { min, max }: IntegerRange): string | undefined {
  if (Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max) return undefined;
  return `${valueInWords(value)} is not an integer in [${min}, ${max}]`;
}

/** A value as a person would recognize it: a number, the beginning of a text, or its type. */
export function valueInWords(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.slice(0, TEXT_LENGTH_SHOWN));
    case "number":
    case "bigint":
    case "boolean":
    case "undefined":
      return `${value}`;
    case "object":
      return value === null ? "null" : "an object";
    default:
      return `a ${typeof value}`;
  }
}
