// Goal: what does not fit in a broker's options is told all at once, before anything is opened.

import { OperationError } from "@quorumlog/protocol";
import { expect, test } from "vitest";
import type { BrokerOptions } from "../src/index.ts";
import { parseBrokerOptions } from "../src/broker-options.ts";

const MIB = 1024 * 1024;
const SOUND: BrokerOptions = {
  listen: "127.0.0.1:0",
  replica: {
    directory: "/nowhere",
    clusterId: "test",
    nodeId: 1,
    peers: { 1: "127.0.0.1:7101" },
    token: "a secret of the cluster",
  },
  onDefect: () => undefined,
};

function problemsOf(more: object): readonly string[] {
  try {
    parseBrokerOptions({ ...SOUND, ...more });
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(OperationError);
    expect((error as OperationError).code).toBe("INVALID_ARGUMENT");
    return (error as OperationError).problems.map(({ field, problem }) => `${field}: ${problem}`);
  }
}

test("messages are kept for 72 hours, or while three quarters of the disk are used", () => {
  const settings = parseBrokerOptions(SOUND);

  expect(settings.replica.retention).toEqual({ milliseconds: 259_200_000, diskPercent: 75 });
  expect(settings.messageBytesMax).toBe(4_194_304);
});

test("a limit that is said leaves the others as they are; and all may be kept", () => {
  const bytes = 1024 ** 3;
  const some = parseBrokerOptions({ ...SOUND, retention: { bytes } });
  const all = parseBrokerOptions({ ...SOUND, retention: "keep" });

  expect(some.replica.retention).toEqual({ milliseconds: 259_200_000, diskPercent: 75, bytes });
  expect(all.replica.retention).toBe("keep");
});

test("a message fits into the log, also of small segments; a limit that cannot be is told", () => {
  const withSegments = (segmentBytes: number): object => ({
    replica: { ...SOUND.replica, tuning: { segmentBytes } },
  });
  const small = parseBrokerOptions({ ...SOUND, ...withSegments(MIB) });

  expect(small).toMatchObject({ recordBytesMax: MIB / 2, messageBytesMax: MIB / 2 - 4_096 });
  expect(problemsOf({ ...withSegments(16 * MIB), messageBytesMax: 4 * MIB })).toEqual([]);
  expect(problemsOf({ ...withSegments(8 * MIB), messageBytesMax: 4 * MIB })).toEqual([
    expect.stringMatching(/^messageBytesMax: 4194304 is more than 4190208.*raise .*segmentBytes/u),
  ]);
});

test("everything that does not fit is told, the replica's options, too", () => {
  const replica = { ...SOUND.replica, nodeId: 0, colour: "red" };

  const problems = problemsOf({
    listen: "nowhere",
    colour: "red",
    defaultQueueCount: 0,
    messageBytesMax: 2 ** 30,
    groupId: 70_000,
    nameServers: ["x"],
    replica,
  });

  expect(problems).toEqual([
    "colour: unknown option",
    "groupId: 70000 is not an integer in [1, 65535]",
    'listen: "nowhere" is not host:port',
    'nameServers: "x" is not host:port',
    "nodeId: 0 is not an integer above 0",
    "colour: unknown option",
    "defaultQueueCount: 0 is not an integer in [1, 1024]",
    "messageBytesMax: 1073741824 is not an integer in [1024, 4194304]",
  ]);
});

test.each([
  ["compact", /^retention: "compact" would lose/u],
  ["all", /^retention: "all" is neither/u],
  [{ days: 3 }, /^retention.days: unknown option/u],
  [{ diskPercent: 100 }, /^retention.diskPercent: more than 99/u],
])("a retention of %j is refused", (retention, expected) => {
  expect(problemsOf({ retention })).toEqual([expect.stringMatching(expected)]);
});
