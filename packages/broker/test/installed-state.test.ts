// Goal: a node that was too far behind, and is given a state, serves that state and tells of it.
// Method: the state machine by itself.

import { MessageType } from "@quorumlog/protocol/messages";
import { expect, test } from "vitest";
import { batchOf } from "./kit/calls.ts";
import { TestMachine } from "./kit/machines.ts";

function withTopic(): TestMachine {
  const machine = new TestMachine();
  machine.execute({ registerGroup: { groupId: 1, name: "broker-a" } });
  machine.execute({
    createTopic: {
      name: "orders",
      messageType: MessageType.MESSAGE_TYPE_NORMAL,
      queueCount: 1,
    },
  });
  return machine;
}

function batch(sequence: number): Buffer {
  return batchOf({ topicId: 1, queue: 0, sequence }, ["a"]);
}

test("whoever waits for topics is told of those that came with it", () => {
  const leader = withTopic();
  const behind = new TestMachine();

  behind.install(leader);

  expect(behind.machine.metadata.topic("orders")?.topicId).toBe(1);
  expect(behind.metadataChanges).toBe(1);
});

test("it goes on as the others do", () => {
  const leader = withTopic();
  leader.publish(batch(1));
  const behind = new TestMachine();

  behind.install(leader);
  const answers = [leader, behind].map((machine) =>
    [1, 2, 4].map((sequence) => machine.publish(batch(sequence))),
  );

  expect(answers[1]).toEqual(answers[0]);
  expect(answers[0]).toMatchObject([
    { baseOffset: 0, isDuplicate: true },
    { baseOffset: 1, isDuplicate: false },
    "SEQUENCE_GAP",
  ]);
  expect(Buffer.concat([...behind.machine.snapshot()])).toEqual(
    Buffer.concat([...leader.machine.snapshot()]),
  );
});
