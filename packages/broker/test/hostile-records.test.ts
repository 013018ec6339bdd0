// Goal: no record makes apply throw, and none makes a row that no table takes: it would stop every
// replica of the group, and again after each restart.
// Method: the state machine by itself; the records that once did, or come close.

import { AssignmentStrategy, ConsumeMode, MessageType } from "@quorumlog/protocol/messages";
import { expect, test } from "vitest";
import { batchOf } from "./kit/calls.ts";
import { TestMachine } from "./kit/machines.ts";

const NORMAL = MessageType.MESSAGE_TYPE_NORMAL;
const TABLE_KEY_BYTES_MAX = 1_024;

function withTopic(queueCount = 4): TestMachine {
  const machine = new TestMachine();
  machine.execute({ registerGroup: { groupId: 1, name: "broker-a" } });
  machine.execute({ createTopic: { name: "orders", messageType: NORMAL, queueCount } });
  return machine;
}

test.each([
  ["nothing", Buffer.alloc(0)],
  ["a byte", Buffer.of(7)],
  ["half a header", Buffer.alloc(30, 7)],
  ["zeros", Buffer.alloc(200)],
  ["a batch that is cut", batchOf({ topicId: 1, queue: 0 }, ["a"]).subarray(0, 60)],
])("%s in the log is answered", (_, record) => {
  const machine = withTopic();

  const answer = machine.apply(record);

  expect(answer.length).toBeGreaterThan(0);
  expect(machine.publish(batchOf({ topicId: 1, queue: 0 }, ["b"]))).toMatchObject({
    baseOffset: 0,
  });
});

test("keys of configuration that are longer as text than as bytes are refused, or fit", () => {
  const machine = withTopic();
  const names = ["\u0001", '"', "\\", "ü", "\u{1f600}"].map((letter) =>
    letter.repeat(Math.floor(255 / Buffer.byteLength(letter))),
  );

  for (const name of names) {
    const { error } = machine.execute({
      putConfiguration: { namespace: name, key: name, value: "v" },
    });
    expect(error?.code ?? "").toBe(name.startsWith("\u0001") ? "INVALID_ARGUMENT" : "");
  }
  expect(2 * 255 + 1).toBeLessThanOrEqual(TABLE_KEY_BYTES_MAX);
});

test("topics and configuration have room up to what a NameServer takes", () => {
  const machine = withTopic();
  const answers = Array.from({ length: 60 }, (_, i) =>
    machine.execute({
      putConfiguration: { namespace: "n", key: `k${i}`, value: "v".repeat(65_000) },
    }),
  );

  expect(answers.at(0)?.error).toBeNull();
  expect(answers.at(-1)?.error?.code).toBe("TOO_MANY");
  machine.execute({ putConfiguration: { namespace: "n", key: "k0" } });
  const again = machine.execute({
    putConfiguration: { namespace: "n", key: "k0", value: "v".repeat(65_000) },
  });
  expect(again.error).toBeNull();
});

test("what the metadata group cannot have said changes nothing", () => {
  const machine = new TestMachine(2);
  const topic = { messageType: NORMAL, isReadable: true, isWritable: true, queueGroupIds: [2] };
  const long = "x".repeat(2_000);

  const answers = [
    [{ ...topic, name: long, topicId: 1 }],
    [
      { ...topic, name: "a", topicId: 1 },
      { ...topic, name: "b", topicId: 1 },
    ],
  ].map((topics) => machine.execute({ metadata: { version: 5, topics } }));

  expect(answers.map(({ error }) => error?.code)).toEqual(["INVALID_ARGUMENT", "INVALID_ARGUMENT"]);
  expect(machine.machine.metadata.version).toBe(0);
});

test("an id that was a topic's stands for no other one", () => {
  const machine = new TestMachine(2);
  const topic = { messageType: NORMAL, isReadable: true, isWritable: true, queueGroupIds: [2] };
  const tell = (version: number, topics: readonly { name: string; topicId: number }[]): string =>
    machine.execute({
      metadata: { version, topics: topics.map((each) => ({ ...topic, ...each, version })) },
    }).error?.code ?? "";
  tell(1, [{ name: "a", topicId: 1 }]);
  machine.publish(batchOf({ topicId: 1, queue: 0 }, ["x"]));

  const renamed = tell(2, [{ name: "b", topicId: 1 }]);
  const gone = tell(3, [{ name: "c", topicId: 2 }]);
  const again = tell(4, [{ name: "a", topicId: 1 }]);

  expect([renamed, gone, again]).toEqual(["INVALID_ARGUMENT", "", "INVALID_ARGUMENT"]);
  expect(machine.publish(batchOf({ topicId: 1, queue: 0 }, ["y"]))).toBe("UNKNOWN_TOPIC");
});

test("metadata of an older version changes nothing", () => {
  const machine = new TestMachine(2);
  const topic = { name: "a", topicId: 1, messageType: NORMAL, queueGroupIds: [2], version: 5 };
  machine.execute({ metadata: { version: 5, topics: [topic] } });

  machine.execute({ metadata: { version: 4, topics: [] } });

  expect(machine.machine.metadata.topic("a")?.topicId).toBe(1);
  expect(machine.machine.metadata.version).toBe(5);
});

test("a command of another kind of group is refused", () => {
  const other = new TestMachine(2);
  const first = withTopic();

  const topic = other.execute({ createTopic: { name: "a", messageType: NORMAL, queueCount: 1 } });
  const metadata = first.execute({ metadata: { version: 99 } });

  expect(topic.error?.code).toBe("WRONG_GROUP");
  expect(metadata.error?.code).toBe("WRONG_GROUP");
});

test("a consumer group that would not fit into its row is refused", () => {
  const machine = withTopic();
  const topics = Array.from({ length: 98 }, (_, i) => `topic-${i}`);
  for (const name of topics)
    machine.execute({ createTopic: { name, messageType: NORMAL, queueCount: 1_024 } });
  const join = (memberId: string, mode: ConsumeMode, topicCount: number): string =>
    machine.execute({
      joinGroup: {
        group: `all-${mode}`,
        memberId,
        mode,
        strategy: AssignmentStrategy.ASSIGNMENT_STRATEGY_STICKY,
        subscriptions: topics.slice(0, topicCount).map((topic) => ({ topic, tagExpression: "*" })),
        sessionTimeoutMs: 10_000,
      },
    }).error?.code ?? "";

  for (const mode of [ConsumeMode.CONSUME_MODE_CLUSTERING, ConsumeMode.CONSUME_MODE_BROADCASTING]) {
    const codes = [98, 97].map((count, i) => join(`member ${i}`, mode, count));
    // However many have all queues, they are not repeated for each.
    const others = Array.from({ length: 20 }, (_, i) => join(`other ${i}`, mode, 97));

    expect(codes).toEqual(["TOO_MANY", ""]);
    expect(new Set(others)).toEqual(new Set([""]));
  }
}, 120_000);

test("an epoch or an offset that is no number is refused, and fences nobody", () => {
  const machine = withTopic();
  const queue = { topicId: 1, queue: 0 };
  const claim = (epoch: number) =>
    machine.execute({ claim: { group: "g", memberId: "m", epoch, queues: [queue] } });

  expect(claim(2 ** 60).error?.code).toBe("INVALID_ARGUMENT");
  const commit = (epoch: number): string[] => {
    const offsets = [{ ...queue, offset: 2 ** 60 }];
    const commits = [{ group: "g", memberId: "m", epoch, offsets }];
    const [answer] = machine.execute({ commitBatch: { commits } }).commits;
    return [answer?.error?.code ?? "", answer?.errors?.[0]?.code ?? ""];
  };
  expect(commit(2 ** 60)).toEqual(["INVALID_ARGUMENT", ""]);
  expect(commit(1)).toEqual(["", "OFFSET_OUT_OF_RANGE"]);
  expect(claim(1).claimed[0]?.error).toBeFalsy();
});
