/**
 * A member of a consumer group, as a process of its own, so that it can be stopped and killed: says
 * what it is handed, and under which token, and what happens to it.
 */

import { PushConsumer } from "@quorumlog/client";
import { endWithParent, tell } from "@quorumlog/integration/testing";
import type { MemberOptions, MemberWord } from "./member-words.ts";

const { listenMs = 0, ...options } = JSON.parse(process.argv[2] ?? "") as MemberOptions;

const consumer = await PushConsumer.open({
  ...options,
  listener: async (message, { fencingToken }) => {
    const { topic, queue, offset } = message;
    await new Promise((resolve) => setTimeout(resolve, listenMs));
    tell({
      type: "message",
      topic,
      queue,
      offset,
      fencingToken,
      body: message.text(),
    } satisfies MemberWord);
  },
  onEvent: (event) => {
    const error = "error" in event ? String(event.error) : undefined;
    const queues = event.type === "assigned" ? event.queues : undefined;
    tell({
      type: "event",
      event: event.type,
      ...(error === undefined ? {} : { error }),
      ...(queues === undefined ? {} : { queues }),
    } satisfies MemberWord);
  },
});
tell({ type: "ready" } satisfies MemberWord);

process.once("message", () => {
  consumer.close().then(
    () => {
      tell({ type: "closed" } satisfies MemberWord, () => process.exit(0));
    },
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
endWithParent();
