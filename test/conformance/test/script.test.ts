// Goal: scripts are read as they are written, and recording changes nothing but expectations.
// Method: small texts, one feature of the format each.
import { describe, expect, test } from "vitest";
import { parseCommandLine, parseScript, renderScript, ScriptError } from "../src/script.ts";

const lines = (...texts: readonly string[]): string => `${texts.join("\n")}\n`;

describe("a command line", () => {
  test("has arguments of three forms", () => {
    const { command, args } = parseCommandLine("add-nodes 3 voters=(1, 2,3) index=10");

    expect(command).toBe("add-nodes");
    expect(args).toEqual([
      { key: "3", values: [] },
      { key: "voters", values: ["1", "2", "3"] },
      { key: "index", values: ["10"] },
    ]);
  });

  test("may hold a list of nothing, and an underscore", () => {
    const { args } = parseCommandLine("committed cfg=() idx=(_,5)");

    expect(args).toEqual([
      { key: "cfg", values: [] },
      { key: "idx", values: ["_", "5"] },
    ]);
  });

  test.each(["committed cfg=(1,2", "propose =x", "x=1 2", "propose 1 (2)"])(
    "is refused if it cannot be read to its end: %s",
    (text) => {
      expect(() => parseCommandLine(text)).toThrow(ScriptError);
    },
  );
});

describe("a script", () => {
  test("is a list of directives with input and expectation, between comments", () => {
    const script = parseScript(
      lines(
        "# story",
        "",
        "propose-conf-change 1",
        "v2",
        "r3",
        "----",
        "ok",
        "",
        "status 1",
        "----",
      ),
    );

    expect(script.directives).toMatchObject([
      { line: 3, command: "propose-conf-change", input: ["v2", "r3"], expected: "ok\n" },
      { line: 9, command: "status", input: [], expected: "" },
    ]);
  });

  test("may expect blank lines between doubled separators", () => {
    const script = parseScript(
      lines("raft-log 1", "----", "----", "a", "", "b", "----", "----", "", "next", "----", "ok"),
    );

    expect(script.directives.map(({ expected }) => expected)).toEqual(["a\n\nb\n", "ok\n"]);
  });

  test("may continue a command on the next line", () => {
    const script = parseScript(lines("add-nodes 1 \\", "  index=2", "----", "ok"));

    expect(script.directives[0]).toMatchObject({ text: "add-nodes 1 index=2", line: 1 });
  });

  test("keeps what it expects from a line that looks like a comment", () => {
    const script = parseScript(lines("x", "----", "# not a comment"));

    expect(script.directives[0]?.expected).toBe("# not a comment\n");
  });

  test.each([
    ["a command without a separator", lines("status 1", "", "status 2", "----", "ok"), 1],
    ["a command at the end without one", lines("# fine", "status 1"), 2],
    ["a doubled separator that is not closed", lines("x", "----", "----", "a"), 3],
  ])("is refused for %s", (_name, text, line) => {
    expect(() => parseScript(text)).toThrow(new RegExp(`^line ${line}:`));
  });
});

describe("recording", () => {
  const text = lines(
    "# a",
    "",
    "one",
    "----",
    "old",
    "",
    "# b",
    "two",
    "----",
    "",
    "three",
    "----",
  );

  test("replaces each expectation and keeps all the rest", () => {
    const recorded = renderScript(parseScript(text), ["new\n", "x\ny\n", ""]);

    expect(recorded).toBe(
      lines(
        "# a",
        "",
        "one",
        "----",
        "new",
        "",
        "# b",
        "two",
        "----",
        "x",
        "y",
        "",
        "three",
        "----",
      ),
    );
  });

  test.each([["a\n\nb\n"], ["----\nx\n"], ["\n"], ["plain\n"]])(
    "writes %j so that it is read again",
    (output) => {
      const once = parseScript(renderScript(parseScript(text), [output, output, output]));

      expect(once.directives.map(({ expected }) => expected)).toEqual([output, output, output]);
    },
  );

  test("of the same outputs changes nothing", () => {
    const script = parseScript(text);
    const outputs = script.directives.map(({ expected }) => expected);

    expect(renderScript(script, outputs)).toBe(text);
  });
});
