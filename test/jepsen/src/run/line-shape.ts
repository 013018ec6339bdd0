/** Says what is wrong with a value that was read from a file, before it is taken for a type. */

import { unreachable } from "@quorumlog/std";

export type Shape =
  | "boolean"
  | "count"
  | "list"
  | "object"
  | "text"
  | { readonly oneOf: readonly unknown[] };

export class RunFolderError extends Error {
  override readonly name = "RunFolderError";
}

/**
 * @param shapes - By the names of fields; others may be there, too.
 * @param at - Where it was read, for the message: a file, or a line of one.
 * @returns the value, with these fields.
 * @throws RunFolderError which names all fields that are wrong
 */
export function demandShape<T>(
  value: unknown,
  shapes: { readonly [Name in keyof T]-?: Shape },
  at: string,
): T {
  if (!isObject(value)) throw new RunFolderError(`${at}: this is no JSON object`);
  const problems = Object.entries<Shape>(shapes)
    .filter(([name, shape]) => !fits(value[name], shape))
    .map(([name, shape]) => `"${name}" should be ${wordsFor(shape)}`);
  if (problems.length > 0) throw new RunFolderError(`${at}: ${problems.join(", ")}`);
  return value as T;
}

function fits(value: unknown, shape: Shape): boolean {
  if (typeof shape === "object") return shape.oneOf.includes(value);
  switch (shape) {
    case "boolean":
      return typeof value === "boolean";
    case "count":
      return Number.isSafeInteger(value) && (value as number) >= 0;
    case "list":
      return Array.isArray(value);
    case "object":
      return isObject(value);
    case "text":
      return typeof value === "string";
    default:
      return unreachable(shape);
  }
}

function wordsFor(shape: Shape): string {
  if (typeof shape === "object")
    return shape.oneOf.map((each) => JSON.stringify(each)).join(" or ");
  return {
    boolean: "true or false",
    count: "a number from 0 on",
    list: "a list",
    object: "an object",
    text: "a text",
  }[shape];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
