/**
 * Long lists go out page by page: each says what the next one is asked for with, which is where it
 * ended. What comes and goes meanwhile is on the page that it falls on, or on none.
 */

import { OperationError } from "@quorumlog/protocol";

/** Of consumer groups and their offsets: one turn of the event loop has time for them. */
const PAGE_ROWS = 2_000;

export interface Page<T> {
  readonly rows: readonly T[];
  /** Empty: that was all. */
  readonly nextPage: string;
}

/**
 * @param rows - In the order of what `placeOf` gives; those behind the page are not taken.
 * @param placeOf - Where the next page begins, if this is the last row of one: never empty.
 */
export function pageOf<T>(
  rows: Iterable<T>,
  placeOf: (row: T) => string,
  countMax: number = PAGE_ROWS,
): Page<T> {
  const page: T[] = [];
  for (const row of rows) {
    const last = page.at(-1);
    if (page.length === countMax && last !== undefined)
      return { rows: page, nextPage: placeOf(last) };
    page.push(row);
  }
  return { rows: page, nextPage: "" };
}

/**
 * @param names - In order; those behind the page are not taken.
 * @param page - The last name of the page before; empty: from the beginning.
 */
export function pageOfNames(
  names: Iterable<string>,
  page: string,
  countMax?: number,
): Page<string> {
  return pageOf(behind(names, page), (name) => name, countMax);
}

function* behind(names: Iterable<string>, last: string): Generator<string> {
  for (const name of names) if (name > last) yield name;
}

export function noPage(page: string): OperationError {
  const problem = `${JSON.stringify(page.slice(0, 60))} is none that was given out`;
  return new OperationError("INVALID_ARGUMENT", `page: ${problem}`, {
    problems: [{ field: "page", problem }],
  });
}
