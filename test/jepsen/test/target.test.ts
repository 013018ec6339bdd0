// Goal: a process of clients knows the same cluster as the process that has started it.
// Method: a target goes through JSON, as between processes.

import { expect, test } from "vitest";
import { messageOfTarget, type Target, targetOfMessage } from "../src/cluster/target.ts";

test("a target that was told to another process is the same there", () => {
  const target: Target = {
    kind: "broker",
    nodes: new Map([
      [1, "127.0.0.1:4001"],
      [2, "127.0.0.1:4002"],
    ]),
    nameServers: ["127.0.0.1:4003"],
  };

  const told = targetOfMessage(JSON.parse(JSON.stringify(messageOfTarget(target))) as never);

  expect(told).toEqual(target);
});
