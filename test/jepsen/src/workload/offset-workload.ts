/**
 * How far a consumer group is: members join, commit what they have consumed, message by message,
 * and leave; a process of them stands still now and then, for longer than a session lasts. Others
 * ask how far the group is. Clients that publish keep it going.
 */

import { Admin } from "@quorumlog/client";
import { checkOffsets } from "../check/offset-check.ts";
import type { HistoryEvent } from "../history/history-event.ts";
import { operationsOf } from "../history/operations.ts";
import { makeTopic, openPatiently, openProducer } from "./broker-access.ts";
import { type CommittingInit, CommittingClient } from "./committing-client.ts";
import { GroupMember } from "./group-member.ts";
import { numberPublisher } from "./publishing-client.ts";
import { beginStalls } from "./stalls.ts";
import { verdictOf } from "./verdict.ts";
import type {
  Attempt,
  ClientContext,
  LogicalClient,
  Workload,
  WorkloadVerdict,
} from "./workload.ts";

const TOPIC = "jepsen-offsets";
const GROUP = "jepsen-offset-members";
const QUEUES = 6;
const CLIENTS = 12;
/** By slot: so many publish, and so many ask; the others are members. */
const PUBLISHERS = 4;
const READERS = 2;
const READ_MS = 2_000;
/** Longer than the session of a member. */
const STALL_MS = 10_000;
const STALL_EVERY_MS = [5_000, 40_000] as const;

export const OFFSET_WORKLOAD: Workload = {
  name: "offsets",
  kind: "broker",
  clientCount: CLIENTS,
  rate: 400,
  prepare: (target) => makeTopic(target, { name: TOPIC, queueCount: QUEUES }),
  open: openClients,
  check: checkOffsetEvents,
};

async function openClients(context: ClientContext): Promise<LogicalClient[]> {
  const { target, slots, signal } = context;
  const { nameServers } = target;
  const admin = await openPatiently(() => Admin.open({ nameServers }), signal);
  const producer = await openProducer(context);
  beginStalls({ prng: context.prng.fork(), stallMs: STALL_MS, everyMs: STALL_EVERY_MS });
  return slots.map((slot) => {
    if (slot < PUBLISHERS) return numberPublisher(context, { producer, topic: TOPIC, slot });
    if (slot < PUBLISHERS + READERS) return new OffsetReader(context, admin);
    return new CommittingClient(memberInit(context, admin));
  });
}

function memberInit({ target, prng, seed }: ClientContext, admin: Admin): CommittingInit {
  const { nameServers } = target;
  return {
    admin,
    group: GROUP,
    prng: prng.fork(),
    open: () =>
      GroupMember.open({
        nameServers,
        consumerGroup: GROUP,
        subscriptions: { [TOPIC]: "*" },
        // All members of a group have the same.
        order: seed % 2 === 0 ? "orderly" : "concurrent",
        // What is committed is asked for here, so that it is recorded.
        commitIntervalMs: 600_000,
      }),
  };
}

class OffsetReader implements LogicalClient {
  readonly #context: ClientContext;
  readonly #admin: Admin;
  #left = Array.from({ length: QUEUES }, (_, queue) => queue);

  constructor(context: ClientContext, admin: Admin) {
    this.#context = context;
    this.#admin = admin;
  }

  next(): Attempt {
    return this.#read(this.#context.prng.below(QUEUES), false);
  }

  last(): Attempt | undefined {
    const queue = this.#left.at(-1);
    return queue === undefined ? undefined : this.#read(queue, true);
  }

  #read(queue: number, isLast: boolean): Attempt {
    return {
      action: "committed",
      value: queue,
      isRead: true,
      run: async () => {
        const offsets = await this.#admin.groupOffsets(GROUP, { timeoutMs: READ_MS });
        const own = offsets.find((each) => each.topic === TOPIC && each.queue === queue);
        if (isLast) this.#left.pop();
        return [queue, own?.committedOffset ?? 0];
      },
    };
  }
}

function checkOffsetEvents(events: readonly HistoryEvent[]): WorkloadVerdict {
  const operations = operationsOf(events);
  const { anomalies, commits, reads } = checkOffsets(operations);
  const needed = ["commit", "committed"];
  return verdictOf({ operations, anomalies, counts: { commits, reads }, needed });
}
