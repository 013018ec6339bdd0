// Goal: a message comes back from its frame as it was, entries with a checksum that was compared;
// anything else is refused, whoever made it.
// Method: messages of every type by chance; then every bit and every length of sample frames, and
// frames whose checksums are right and whose contents are not.

import { crc32 } from "node:zlib";
import { type Entry, type Message, messageProblem } from "@quorumlog/raft";
import { describe, expect, test } from "vitest";
import { decodeMessage, encodeMessage } from "../src/message-codec.ts";
import { voting } from "./kit/configurations.ts";
import { appendEntries, entry, messages, SAMPLES } from "./kit/messages.ts";
import { fc } from "./kit/properties.ts";

function frameOf(message: Message): Buffer {
  return Buffer.concat(encodeMessage(message));
}

/** As it should arrive: every entry has its checksum, and data are plain. */
function arrived(message: Message): Message {
  if (message.type === "InstallSnapshot") {
    const { snapshot } = message;
    return { ...message, snapshot: { ...snapshot, data: Uint8Array.from(snapshot.data) } };
  }
  if (message.type !== "AppendEntries") return message;
  const entries = message.entries.map((each) => ({
    ...each,
    data: Uint8Array.from(each.data),
    checksum: each.checksum ?? crc32(each.data),
  }));
  return { ...message, entries };
}

function roundTrip(message: Message): Message | undefined {
  const found = decodeMessage(frameOf(message));
  return found === undefined ? undefined : arrived(found);
}

/** The frame with its head changed, and the checksum that it then has to have. */
function forged(message: Message, change: (frame: Buffer) => void): Buffer {
  const frame = frameOf(message);
  const headBytes = frame.readUInt32LE(8);
  change(frame);
  frame.writeUInt32LE(crc32(frame.subarray(4, headBytes)), 0);
  return frame;
}

function entriesIn(frame: Uint8Array): readonly Entry[] {
  const message = decodeMessage(frame);
  return message?.type === "AppendEntries" ? message.entries : [];
}

const FIELDS_AT = 52;
const FIRST_ROW_AT = FIELDS_AT + 28;

describe("a message", () => {
  test.each(SAMPLES)("$type comes back as it was, and sound", (message) => {
    const found = roundTrip(message);

    expect(found).toEqual(arrived(message));
    expect(messageProblem(found as Message)).toBeUndefined();
  });

  test("of any type comes back as it was", () => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(roundTrip(message)).toEqual(arrived(message));
      }),
      { numRuns: 500 },
    );
  });

  test("from an odd place in a larger buffer comes back, too", () => {
    const message = appendEntries(entry(5, 30));
    const frame = frameOf(message);
    const larger = new Uint8Array(frame.length + 20);
    larger.set(frame, 7);

    const found = decodeMessage(larger.subarray(7, 7 + frame.length));

    expect(arrived(found as Message)).toEqual(arrived(message));
  });
});

describe("the data of entries", () => {
  test("are parts of their own if they are large, and share one if not", () => {
    const list = [entry(1, 4_097), entry(2, 4_096), entry(3, 10), entry(4, 5_000), entry(5, 0)];

    const parts = encodeMessage(appendEntries(...list));

    expect(parts.map(({ byteLength }) => byteLength)).toEqual([
      FIRST_ROW_AT + list.length * 20,
      4_097,
      4_106,
      5_000,
    ]);
    expect([parts[1], parts[3]]).toEqual([list[0]?.data, list[3]?.data]);
    expect([parts[1] === list[0]?.data, parts[3] === list[3]?.data]).toEqual([true, true]);
  });

  test("arrive as parts of the frame, not copied", () => {
    const frame = frameOf(appendEntries(entry(1, 10), entry(2, 5_000)));

    const entries = entriesIn(frame);

    expect(entries.map(({ data }) => data.buffer === frame.buffer)).toEqual([true, true]);
  });

  test("arrive with the checksum that was given, or else computed", () => {
    const given = { ...entry(1, 10), checksum: crc32(entry(1, 10).data) };

    const entries = entriesIn(frameOf(appendEntries(given, entry(2, 10))));

    expect(entries.map(({ checksum }) => checksum)).toEqual([
      given.checksum,
      crc32(entry(2, 10).data),
    ]);
  });

  test("are not summed again when they have a checksum, so a wrong one is refused", () => {
    const wrong = { ...entry(1, 10), checksum: 7 };

    expect(decodeMessage(frameOf(appendEntries(wrong)))).toBeUndefined();
  });
});

describe("other bytes", () => {
  test.each(SAMPLES)("$type with any bit flipped is refused", (message) => {
    const frame = frameOf(message);
    for (let bit = 0; bit < frame.length * 8; bit++) {
      const flipped = Buffer.from(frame);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);

      expect(decodeMessage(flipped), `bit ${bit}`).toBeUndefined();
    }
  });

  test.each(SAMPLES)("$type cut anywhere, or with one more byte, is refused", (message) => {
    const frame = frameOf(message);
    for (let length = 0; length < frame.length; length++)
      expect(decodeMessage(frame.subarray(0, length)), `${length} bytes`).toBeUndefined();

    expect(decodeMessage(Buffer.concat([frame, Buffer.alloc(1)]))).toBeUndefined();
  });

  test("by chance are refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(decodeMessage(bytes)).toBeUndefined();
      }),
    );
  });

  test("by chance behind a sound checksum are refused, or are a message with these bytes", () => {
    const heads = fc.tuple(fc.nat(14), fc.uint8Array({ maxLength: 120 }));
    fc.assert(
      fc.property(heads, ([type, tail]) => {
        const frame = Buffer.concat([Buffer.alloc(12), tail]);
        frame.writeUInt8(1, 4);
        frame.writeUInt8(type, 5);
        frame.writeUInt32LE(frame.length, 8);
        frame.writeUInt32LE(crc32(frame.subarray(4)), 0);

        const found = decodeMessage(frame);

        if (found !== undefined) expect(frameOf(found).equals(frame)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a forged frame is refused", () => {
  const heartbeat = SAMPLES.find(({ type }) => type === "Heartbeat") as Message;
  const one = appendEntries(entry(5, 10));

  test.each<[string, Message, (frame: Buffer) => void]>([
    ["another version", heartbeat, (frame) => frame.writeUInt8(2, 4)],
    ["type 0", heartbeat, (frame) => frame.writeUInt8(0, 5)],
    ["a type that is not known", heartbeat, (frame) => frame.writeUInt8(14, 5)],
    ["a type with other fields", heartbeat, (frame) => frame.writeUInt8(2, 5)],
    ["something in the gap", heartbeat, (frame) => frame.writeUInt16LE(1, 6)],
    ["a term that is no safe integer", heartbeat, (frame) => frame.writeUInt32LE(2 ** 21, 48)],
    ["more entries than rows", one, (frame) => frame.writeUInt32LE(2, FIRST_ROW_AT - 4)],
    ["entries beyond count", one, (frame) => frame.writeUInt32LE(2 ** 32 - 1, FIRST_ROW_AT - 4)],
    ["fewer entries than rows", one, (frame) => frame.writeUInt32LE(0, FIRST_ROW_AT - 4)],
    ["an entry beyond the frame", one, (frame) => frame.writeUInt32LE(11, FIRST_ROW_AT)],
    ["bytes of no entry", one, (frame) => frame.writeUInt32LE(9, FIRST_ROW_AT)],
    ["kind 0", one, (frame) => frame.writeUInt32LE(0, FIRST_ROW_AT + 8)],
    ["kind 3", one, (frame) => frame.writeUInt32LE(3, FIRST_ROW_AT + 8)],
  ])("with %s", (_what, message, change) => {
    expect(decodeMessage(forged(message, () => undefined))).toBeDefined();

    expect(decodeMessage(forged(message, change))).toBeUndefined();
  });

  test("with entries whose indexes are no safe integers", () => {
    const last = Number.MAX_SAFE_INTEGER;

    const frame = forged(one, (bytes) => {
      bytes.writeUInt32LE(last % 2 ** 32, FIELDS_AT);
      bytes.writeUInt32LE(Math.floor(last / 2 ** 32), FIELDS_AT + 4);
    });

    expect(decodeMessage(frame)).toBeUndefined();
  });

  test("with a configuration that is unsound", () => {
    const configuration = voting(1, 2);
    const snapshot = { lastIncludedIndex: 1, lastIncludedTerm: 1, configuration };
    const message = { ...heartbeat, type: "InstallSnapshot" as const };
    const whole = { ...message, snapshot: { ...snapshot, data: new Uint8Array(3) } };

    const frame = forged(whole, (bytes) => bytes.writeUInt32LE(1, FIELDS_AT + 28 + 10 + 16));

    expect(decodeMessage(frame)).toBeUndefined();
  });
});

test("a message that no core would make is not encoded", () => {
  const [, reply] = SAMPLES;

  expect(() => encodeMessage({ ...(reply as Message), term: -1 })).toThrow(/safe integer/u);
});
