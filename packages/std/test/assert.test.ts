// Goal: a broken invariant stops the node with a type of error that nothing else throws.
// Method: each function with a condition that holds and one that does not.

import { describe, expect, test } from "vitest";
import { assert, InvariantViolation, required, unreachable } from "../src/index.ts";

function broken(): void {
  assert(Number.isNaN(1), "one is not a number");
}

describe("assert", () => {
  test("lets pass what holds", () => {
    expect(() => assert(Number.isInteger(1), "one is an integer")).not.toThrow();
  });

  test("throws what does not, with its message", () => {
    expect(broken).toThrow(InvariantViolation);
    expect(broken).toThrow("one is not a number");
  });
});

describe("required", () => {
  test.each([0, "", false, null])("returns %o: only undefined is missing", (value) => {
    expect(required(value, "present")).toBe(value);
  });

  test("throws for undefined", () => {
    expect(() => required(undefined, "missing")).toThrow(InvariantViolation);
  });
});

test("unreachable tells what reached it", () => {
  expect(() => unreachable({ type: "surprise" } as never)).toThrow(InvariantViolation);
  expect(() => unreachable({ type: "surprise" } as never)).toThrow("surprise");
});

test("the error can be told from others by class and by name", () => {
  const error = new InvariantViolation("x");
  expect(error).toBeInstanceOf(Error);
  expect(error.name).toBe("InvariantViolation");
});
