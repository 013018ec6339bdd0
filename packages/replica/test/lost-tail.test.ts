// Goal: a node whose disk has lost what it acknowledged says so and stops.
import { expect, test } from "vitest";
import { LoneNode } from "./kit/lone-node.ts";

test("a heartbeat that knows of more than the log has stops the node, with what to do", () => {
  const node = new LoneNode();
  const header = { from: 1, to: 2, fromIncarnation: 1, toIncarnation: 1, term: 7 };
  const message = { type: "Heartbeat" as const, ...header, leaderCommit: 9, round: 1 };

  node.send(1, { kind: "raft", message });
  node.time.pass(50);

  const { replica, events } = node;
  expect(replica.isOpen()).toBe(false);
  const [failed] = events.filter(({ type }) => type === "failed");
  expect(failed).toMatchObject({ error: { code: "DISK_LOST" } });
  expect(replica.failure()?.message).toMatch(/ends at index 1, .* acknowledged 9/u);
});
