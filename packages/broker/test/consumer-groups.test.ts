// Goal: the queues of a group's topics are shared by its members, and move when members come and
// go.
// Method: members as streams over real sockets, to a group of one node.

import { COORDINATOR_SERVICE, OFFSETS_SERVICE, type RpcChannel } from "@quorumlog/protocol";
import {
  AssignmentStrategy,
  ConsumeMode,
  type CoordinatorMessage,
  type JoinRequest,
  type MemberMessage,
} from "@quorumlog/protocol/messages";
import { expect, onTestFinished, test } from "vitest";
import { BrokerNodes } from "./kit/broker-nodes.ts";
import { createTopic } from "./kit/calls.ts";

class Member {
  readonly told: CoordinatorMessage[] = [];
  readonly failures: Error[] = [];
  readonly #call: { write(message: MemberMessage.$Properties): unknown; cancel(): void };
  readonly #wakes: (() => void)[] = [];

  constructor(channel: RpcChannel, memberId: string, request: JoinRequest.$Properties = {}) {
    const call = channel.duplex(COORDINATOR_SERVICE.join);
    this.#call = call;
    const wake = (): void => {
      for (const each of this.#wakes.splice(0)) each();
    };
    call.on("data", (message: CoordinatorMessage) => {
      this.told.push(message);
      wake();
    });
    call.on("error", (error) => {
      this.failures.push(error);
      wake();
    });
    onTestFinished(() => {
      call.cancel();
    });
    call.write({
      join: {
        group: "readers",
        memberId,
        mode: ConsumeMode.CONSUME_MODE_CLUSTERING,
        strategy: AssignmentStrategy.ASSIGNMENT_STRATEGY_STICKY,
        subscriptions: [{ topic: "orders", tagExpression: "*" }],
        ...request,
      },
    });
  }

  adopt(): void {
    this.#call.write({ adoptedEpoch: this.told.at(-1)?.epoch ?? 0 });
  }

  leave(): void {
    this.#call.write({ adoptedEpoch: 0, isLeaving: true });
  }

  queues(): number[] {
    return (this.told.at(-1)?.queues ?? []).map(({ queue }) => queue ?? 0);
  }

  async until(isSo: (member: Member) => boolean): Promise<void> {
    while (!isSo(this)) await new Promise<void>((resolve) => this.#wakes.push(resolve));
  }
}

async function started(): Promise<RpcChannel> {
  const nodes = await BrokerNodes.start(1);
  const channel = nodes.channel(await nodes.leaderId());
  await createTopic(channel, { name: "orders" });
  return channel;
}

test("a second member gets half of the queues, once the first has given them up", async () => {
  const channel = await started();
  const first = new Member(channel, "a");
  await first.until((member) => member.queues().length === 4);

  const second = new Member(channel, "b");
  await first.until((member) => member.queues().length === 2);
  await second.until((member) => member.told.length === 1);
  expect(second.queues()).toEqual([]);
  first.adopt();
  await second.until((member) => member.queues().length === 2);

  expect([...first.queues(), ...second.queues()].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3]);
});

test("whoever leaves gives everything up at once", async () => {
  const channel = await started();
  const first = new Member(channel, "a");
  await first.until((member) => member.queues().length === 4);
  const second = new Member(channel, "b");
  await second.until((member) => member.told.length === 1);

  first.leave();

  await second.until((member) => member.queues().length === 4);
});

test("a member that subscribes to something else is refused, and told the difference", async () => {
  const channel = await started();
  const first = new Member(channel, "a");
  await first.until((member) => member.told.length === 1);

  const other = new Member(channel, "b", {
    subscriptions: [{ topic: "orders", tagExpression: "x || y" }],
  });

  await other.until((member) => member.failures.length === 1);
  expect(other.failures[0]?.message).toContain('"orders" "*", and this member "x || y"');
});

test("behind a claim of a newer epoch, an older one commits no more", async () => {
  const channel = await started();
  const queues = [{ topicId: 1, queue: 0 }];
  const claim = (epoch: number): Promise<unknown> =>
    channel.call(OFFSETS_SERVICE.claim, { group: "readers", memberId: "a", epoch, queues });
  const commit = async (epoch: number, offset: number): Promise<string> => {
    const offsets = [{ topicId: 1, queue: 0, offset }];
    const request = { group: "readers", memberId: "a", epoch, offsets };
    const { errors } = await channel.call(OFFSETS_SERVICE.commit, request);
    return errors[0]?.code ?? "";
  };

  await claim(1);
  expect(await commit(1, 5)).toBe("");
  await claim(2);
  expect(await commit(1, 9)).toBe("STALE_EPOCH");

  const { offsets } = await channel.call(OFFSETS_SERVICE.getOffsets, { group: "readers" });
  expect(offsets[0]).toMatchObject({ committedOffset: 5, queue: 0 });
});
