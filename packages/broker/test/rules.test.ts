// Goal: all nodes of a group apply a record by the same rules, or not at all: which are in force is
// in the log, and a node that does not know them stops in front of them, as it is.
// Method: the state machine by itself, as this version has it and as a later one would.

import { crc32 } from "node:zlib";
import { MessageType, ResetOffsetsRequest } from "@quorumlog/protocol/messages";
import { expect, test } from "vitest";
import { queueKey } from "../src/state/queue-key.ts";
import { RULES_VERSION, RulesVersionError } from "../src/state/rules.ts";
import { commandRecord } from "../src/testing/index.ts";
import { batchOf } from "./kit/calls.ts";
import { TestMachine } from "./kit/machines.ts";

const LATER = RULES_VERSION + 1;
/** As protobuf: a field of number 2000 without bytes, which no message has. */
const UNKNOWN_FIELD = Buffer.of(0x82, 0x7d, 0);

function withTopic(rulesVersion?: number): TestMachine {
  const machine = new TestMachine(1, rulesVersion);
  const messageType = MessageType.MESSAGE_TYPE_NORMAL;
  machine.execute({ registerGroup: { groupId: 1, name: "broker-a" } });
  machine.execute({ createTopic: { name: "orders", messageType, queueCount: 1 } });
  return machine;
}

function batch(body: string): Buffer {
  return batchOf({ topicId: 1, queue: 0 }, [body]);
}

function stateOf({ machine }: TestMachine): Buffer {
  return Buffer.concat([...machine.snapshot()]);
}

function raise(rulesVersion: number): Buffer {
  return commandRecord({ raiseRules: { rulesVersion } });
}

/** The same record with other bytes in it, as its writer would have summed them. */
function changed(record: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(record);
  change(copy);
  copy.writeUInt32LE(crc32(copy.subarray(4)), 0);
  return copy;
}

test("rules are raised, and never lowered", () => {
  const machine = withTopic(LATER + 1);
  const inForce = [LATER, 0, RULES_VERSION, LATER + 1, LATER].map((rulesVersion) => {
    machine.execute({ raiseRules: { rulesVersion } });
    return machine.machine.rules.inForce;
  });

  expect(withTopic().machine.rules.inForce).toBe(1);
  expect(inForce).toEqual([LATER, LATER, LATER, LATER + 1, LATER + 1]);
});

test("rules that are in force are part of the state", () => {
  const leader = withTopic(LATER);
  leader.execute({ raiseRules: { rulesVersion: LATER } });
  const behind = new TestMachine(1, LATER);

  behind.install(leader);

  expect(behind.machine.rules.inForce).toBe(LATER);
});

test("whoever does not know them applies what is before them, and nothing from there on", () => {
  const old = withTopic();
  const expected = withTopic();
  expected.publish(batch("a"));
  const records = [batch("a"), raise(LATER), batch("b")];

  const applied = (): unknown => old.machine.apply({ offset: 2, records, timestamp: old.now });

  expect(applied).toThrow(RulesVersionError);
  expect(stateOf(old)).toEqual(stateOf(expected));
  expect(old.machine.queues.end(queueKey(1, 0))).toBe(1);
});

test("it says which rules there are, which it knows, and what helps", () => {
  const old = withTopic();

  expect(() => old.apply(raise(7))).toThrow(
    expect.objectContaining({
      code: "RULES_VERSION",
      message:
        `the log has rules 7, and this version knows rules up to ${RULES_VERSION}: ` +
        "start a version that knows them; nothing was lost",
    }),
  );
});

test("a state that follows rules which it does not know is not taken, and its files stay", () => {
  const leader = withTopic(LATER);
  leader.publish(batch("a"));
  leader.execute({ raiseRules: { rulesVersion: LATER } });
  const old = withTopic();
  old.publish(batch("a"));

  expect(() => old.install(leader)).toThrow(`the state follows rules ${LATER}`);

  expect(old.machine.index.firstOffset(queueKey(1, 0))).toBe(0);
});

test.each([
  ["a command", changed(Buffer.concat([raise(1).subarray(0, 8), UNKNOWN_FIELD]), () => undefined)],
  ["a flag of a batch", changed(batch("a"), (copy) => copy.writeUInt8(0x40, 9))],
  ["a compression", changed(batch("a"), (copy) => copy.writeUInt8(0x0f, 9))],
  ["a version of batches", changed(batch("a"), (copy) => copy.writeUInt8(2, 8))],
])("%s of a later version stops a node in front of it", (_, record) => {
  const old = withTopic();
  const before = stateOf(old);

  expect(() => old.apply(record)).toThrow(expect.objectContaining({ code: "RULES_VERSION" }));
  expect(stateOf(old)).toEqual(before);
});

test.each([
  ["a command that says nothing", changed(raise(1).subarray(0, 8), () => undefined)],
  ["a command that nobody has summed", Buffer.concat([raise(1).subarray(0, 8), UNKNOWN_FIELD])],
  ["a batch that nobody has summed", Buffer.from(batch("a")).fill(0x40, 9, 10)],
])("%s stops nobody", (_, record) => {
  const old = withTopic();
  const before = stateOf(old);

  expect(old.apply(record).length).toBeGreaterThan(0);
  expect(stateOf(old)).toEqual(before);
});

test("what a client says in a field that is not known here does not get into the log", () => {
  const said = ResetOffsetsRequest.encode({ group: "g" }).finish();
  const request = ResetOffsetsRequest.decode(Buffer.concat([said, UNKNOWN_FIELD]));

  expect(commandRecord({ resetOffsets: request })).toEqual(
    commandRecord({ resetOffsets: { group: "g" } }),
  );
});
