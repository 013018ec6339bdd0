// Goal: a caller that tries again at once, for as long as it is refused, keeps no node from getting
// to where it would not be. Method: nothing else is waited for, in the same event loop.

import { expect, onTestFinished, test } from "vitest";
import type { ReplicatedLog } from "../src/index.ts";
import { startCluster } from "../src/testing/index.ts";

const PATIENCE_MS = 8_000;

test("whoever asks for a leader's turn again and again lets one be elected", async () => {
  const cluster = await startCluster({ tuning: { heartbeatMs: 50, electionMs: 300 } });
  onTestFinished(() => cluster.close());
  const { nodeId } = (await cluster.leader()).status();
  await cluster.kill(nodeId);
  const nodes = cluster.logs;
  const endsAt = performance.now() + PATIENCE_MS;
  let index: number | undefined;

  for (let i = 0; index === undefined && performance.now() < endsAt; i++)
    try {
      const node = nodes[i % nodes.length] as ReplicatedLog;
      ({ index } = await node.append(Buffer.from("x")));
    } catch {
      continue;
    }

  expect(index).toBeGreaterThan(0);
}, 20_000);
