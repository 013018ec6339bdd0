// Goal: what a leader packs into an entry comes out again, and nothing else is taken for it.
import { SlabPool } from "@quorumlog/std";
import { describe, expect, test } from "vitest";
import {
  COMMAND_KIND,
  type CommandDraft,
  commandBytes,
  ContainerReader,
  encodeContainer,
} from "../src/container.ts";

const MEMORY = new SlabPool();

function records(...texts: readonly string[]): CommandDraft {
  const list = texts.map((text) => Buffer.from(text));
  return {
    kind: COMMAND_KIND.records,
    sessionId: 7,
    sequence: 2 ** 40,
    offset: -1,
    records: list,
    bytes: commandBytes(list),
  };
}

function read(bytes: Uint8Array): unknown {
  const reader = ContainerReader.open(bytes);
  if (reader === undefined) return undefined;
  const commands = [];
  for (let command = reader.next(); command !== undefined; command = reader.next())
    commands.push({
      kind: command.kind,
      sessionId: command.sessionId,
      sequence: command.sequence,
      offset: command.offset,
      records: [...reader.records(command)].map((record) => Buffer.from(record).toString()),
    });
  return { timestamp: reader.timestamp, commands };
}

const SAMPLE = encodeContainer(
  [records("a", "", "ccc"), records("d")],
  1_700_000_000_000.5,
  MEMORY,
);

describe("a container", () => {
  test("holds the commands of several calls", () => {
    const place = { kind: 1, sessionId: 7, sequence: 2 ** 40, offset: -1 };

    const found = read(SAMPLE);

    expect(found).toEqual({
      timestamp: 1_700_000_000_000.5,
      commands: [
        { ...place, records: ["a", "", "ccc"] },
        { ...place, records: ["d"] },
      ],
    });
  });

  test("copies what it is given", () => {
    const bytes = Buffer.from("before");
    const draft = { ...records(), records: [bytes], bytes: commandBytes([bytes]) };
    const container = encodeContainer([draft], 1, MEMORY);

    bytes.write("after!");

    expect(read(container)).toMatchObject({ commands: [{ records: ["before"] }] });
  });

  test("is refused if a byte is missing, or one too many", () => {
    const prefixes = Array.from(SAMPLE, (_, length) => SAMPLE.subarray(0, length));
    const longer = Buffer.concat([SAMPLE, Buffer.of(0)]);

    const taken = [...prefixes, longer].filter((bytes) => ContainerReader.open(bytes));

    expect(taken).toEqual([]);
  });

  test("is never read beyond its end, whatever stands in it", () => {
    const outcomes = new Set<string>();
    for (let at = 0; at < SAMPLE.length; at++)
      for (const value of [0, 1, 0x7f, 0xff]) {
        const bytes = Buffer.from(SAMPLE);
        bytes[at] = value;
        outcomes.add(read(bytes) === undefined ? "refused" : "read");
      }

    expect([...outcomes].sort()).toEqual(["read", "refused"]);
  });

  test.each([
    ["another version", 0, 2],
    ["an unknown kind", 20, 99],
    ["a count of commands that is too high", 4, 3],
    ["a count of commands that is too low", 4, 1],
    ["a count of records that does not fit", 48, 4],
  ])("is refused for %s", (_name, at, value) => {
    const bytes = Buffer.from(SAMPLE);

    bytes.writeUInt32LE(value, at);

    expect(ContainerReader.open(bytes)).toBeUndefined();
  });
});
