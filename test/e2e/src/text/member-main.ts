/** A member of the consumer group, as a process of its own: says what it is handed, and commits. */

import { PushConsumer, type PushConsumerEvent } from "@quorumlog/client";
import { endWithParent, tell } from "@quorumlog/integration/testing";
import { DeliveredRanges } from "./delivered-ranges.ts";
import type { MemberMessage, MemberSettings } from "./member-protocol.ts";

const TELL_MS = 200;
const TELLS_PER_COMMIT = 5;
/** Only what was told is committed: whoever is killed takes nothing along that is not known. */
const NEVER_MS = 600_000;

const settings = JSON.parse(process.argv[2] ?? "") as MemberSettings;
const { nameServers, topic, consumerGroup, memberId } = settings;
const ranges = new DeliveredRanges();

const consumer = await PushConsumer.open({
  nameServers,
  consumerGroup,
  instanceId: memberId,
  subscriptions: { [topic]: "*" },
  order: "per-key",
  commitIntervalMs: NEVER_MS,
  listener: ({ messageGroup = "", body }) => {
    ranges.add(messageGroup, body);
  },
  onEvent: (event) => {
    tell({
      type: "event",
      text: describe(event),
      isProblem: isProblem(event),
    } satisfies MemberMessage);
  },
});
tell({ type: "ready" } satisfies MemberMessage);

let tells = 0;
const timer = setInterval(() => {
  tell({ type: "ranges", ranges: ranges.take() } satisfies MemberMessage);
  tells += 1;
  // In the same turn: it notes what was finished by now, and so was told.
  if (tells % TELLS_PER_COMMIT === 0)
    consumer.commit().catch(() => {
      // It is an event, too, and is tried again.
    });
}, TELL_MS);

process.once("message", () => {
  close().catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});
endWithParent();

async function close(): Promise<void> {
  await consumer.close();
  clearInterval(timer);
  tell({ type: "ranges", ranges: ranges.take() } satisfies MemberMessage);
  process.removeAllListeners("disconnect");
  tell({ type: "closed" } satisfies MemberMessage, () => {
    process.disconnect();
  });
}

function isProblem({ type }: PushConsumerEvent): boolean {
  return type === "failed" || type === "given-up" || type === "queue-problem";
}

function describe(event: PushConsumerEvent): string {
  if ("error" in event) return `${event.type}: ${String(event.error)}`;
  return event.type === "assigned" ? `assigned: ${event.queues.length} queues` : event.type;
}
