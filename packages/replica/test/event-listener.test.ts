// Goal: no peer floods whoever listens, and nothing else is left out.

import { expect, test } from "vitest";
import { guardedListener } from "../src/event-listener.ts";
import type { ReplicaEvent } from "../src/index.ts";

test("of frames that make no sense, one in ten seconds is told of for each peer", () => {
  const events: ReplicaEvent[] = [];
  let now = 0;
  const listen = guardedListener(
    (event) => events.push(event),
    () => now,
  );

  for (; now < 20_000; now += 10) {
    listen({ type: "malformedFrame", from: 1 });
    listen({ type: "foreignFrame", from: 1 });
    if (now === 5_000) listen({ type: "malformedFrame", from: 2 });
    if (now % 5_000 === 0) listen({ type: "peerUp", nodeId: 1 });
  }

  expect(events.filter(({ type }) => type === "peerUp")).toHaveLength(4);
  expect(events.filter(({ type }) => type === "foreignFrame")).toHaveLength(2);
  expect(events.filter(({ type }) => type === "malformedFrame")).toEqual([
    { type: "malformedFrame", from: 1, leftOut: 0 },
    { type: "malformedFrame", from: 2, leftOut: 0 },
    { type: "malformedFrame", from: 1, leftOut: 999 },
  ]);
});
