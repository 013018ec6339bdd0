// Goal: bytes are printed as the recorded scripts print them.
// Method: the rules of Go's %q, one example each.
import { expect, test } from "vitest";
import { quote } from "../src/interaction/quote.ts";

test.each([
  ["nothing", [], '""'],
  ["text", [...Buffer.from("prop_1 x")], '"prop_1 x"'],
  ["quotes and backslashes", [...Buffer.from('a"b\\c')], String.raw`"a\"b\\c"`],
  ["control characters", [0x07, 0x0a, 0x09, 0x00, 0x7f], String.raw`"\a\n\t\x00\x7f"`],
  ["printable characters beyond ASCII", [...Buffer.from("é∞😀")], '"é∞😀"'],
  ["others beyond ASCII", [...Buffer.from("\u00a0\u200b")], String.raw`"\u00a0\u200b"`],
  ["bytes that are no UTF-8", [0xff, 0x41, 0xc3], String.raw`"\xffA\xc3"`],
])("%s", (_name, bytes, expected) => {
  expect(quote(Uint8Array.from(bytes))).toBe(expected);
});
