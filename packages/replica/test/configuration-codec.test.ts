// Goal: a configuration comes back from its bytes as it was, and no other bytes are one.
// Method: sound configurations by chance; then bytes that are cut, damaged, or made by hand.

import { configurationProblem, EMPTY_CONFIGURATION } from "@quorumlog/raft";
import { describe, expect, test } from "vitest";
import { decodeConfiguration, encodeConfiguration } from "../src/configuration-codec.ts";
import { configurations, COUNT_MAX, JOINT, members, voting } from "./kit/configurations.ts";
import { fc } from "./kit/properties.ts";

describe("a configuration", () => {
  test("comes back as it was", () => {
    fc.assert(
      fc.property(configurations, (configuration) => {
        expect(decodeConfiguration(encodeConfiguration(configuration))).toEqual(configuration);
      }),
    );
  });

  test.each([EMPTY_CONFIGURATION, voting(1), JOINT])("comes back: %j", (configuration) => {
    expect(decodeConfiguration(encodeConfiguration(configuration))).toEqual(configuration);
  });

  test("has the bytes that are written down", () => {
    const bytes = encodeConfiguration({ ...voting(3), learners: members(4) });

    const member = ["0300000000000000", "1e00000000000000"];
    const learner = ["0400000000000000", "2800000000000000"];
    const hex = ["0100", "0100000001000000", ...member, ...learner].join("");
    expect(Buffer.from(bytes).toString("hex")).toBe(hex);
  });

  test("that is unsound is not encoded", () => {
    expect(() => encodeConfiguration({ ...voting(1), learners: members(1) })).toThrow(/sound/u);
  });
});

describe("other bytes", () => {
  const sample = Buffer.from(encodeConfiguration(JOINT));

  test("cut short, or with one more, are none", () => {
    for (let length = 0; length < sample.length; length++)
      expect(decodeConfiguration(sample.subarray(0, length))).toBeUndefined();

    expect(decodeConfiguration(Buffer.concat([sample, Buffer.alloc(1)]))).toBeUndefined();
  });

  test("with any bit flipped are none, or those of a sound configuration that is another", () => {
    for (let bit = 0; bit < sample.length * 8; bit++) {
      const flipped = Buffer.from(sample);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const found = decodeConfiguration(flipped);

      if (found === undefined) continue;
      expect(configurationProblem(found)).toBeUndefined();
      expect(flipped.equals(encodeConfiguration(found))).toBe(true);
    }
  });

  test("of any kind never throw, and are encoded alike if they are taken", () => {
    const headed = fc.uint8Array({ maxLength: 60 }).map((tail) => Uint8Array.from([1, 0, ...tail]));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 99 }), headed), (bytes) => {
        const found = decodeConfiguration(bytes);
        if (found === undefined) return;
        expect([...encodeConfiguration(found)]).toEqual([...bytes]);
      }),
    );
  });

  test.each([
    ["a version that is not known", 0, 2],
    ["a flag that is none", 1, 2],
    ["autoLeave outside a joint configuration", 1, 1],
    ["more members than bytes", 3, 0xff],
    ["an id of 0", 10, 0],
    ["a number that is no safe integer", 16, 0x20],
  ])("with %s are none", (_what, at, value) => {
    const bytes = Buffer.from(encodeConfiguration(voting(1)));

    bytes.writeUInt8(value, at);

    expect(decodeConfiguration(bytes)).toBeUndefined();
  });

  test("with a count beyond what the core takes are none", () => {
    const bytes = Buffer.from(encodeConfiguration(voting(1)));
    bytes.writeUInt32LE((COUNT_MAX * 2) / 2 ** 32, 14);

    expect(decodeConfiguration(bytes)).toBeUndefined();
  });
});
