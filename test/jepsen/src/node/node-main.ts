/**
 * One node: a process of its own that opens a replica, serves clients, and does what the harness
 * tells it.
 *
 *     node dist/node/node-main.js SETTINGS     SETTINGS is the JSON of `NodeSettings`
 *
 * Ends with the replica, or with the harness.
 */

import { endWithParent, fail, serveCalls, tell } from "@quorumlog/integration/testing";
import { openNodeClock } from "./node-clock.ts";
import { openNodeDisk } from "./node-disk.ts";
import { type NodeGroup, openNodeGroup } from "./node-group.ts";
import { nodeHandlers, viewOf } from "./node-handlers.ts";
import type { NodeCalls, NodeSettings, NodeWord } from "./node-protocol.ts";

const VIEW_EVERY_MS = 50;
/** Too many to be told of each. */
const UNTOLD_EVENTS: ReadonlySet<string> = new Set(["configuration", "slowCallback"]);

/** Whoever looks at all nodes waits for none of them: each tells by itself how it is. */
function tellViews(opened: () => NodeGroup | undefined): () => void {
  let told = "";
  let toldAt = 0;
  return () => {
    const group = opened();
    if (group === undefined) return;
    const view = viewOf(group.replica.status());
    const text = JSON.stringify(view);
    const now = performance.now();
    // Also what has not changed, now and then: it shows that this process goes on.
    if (text === told && now - toldAt < 2 * VIEW_EVERY_MS) return;
    told = text;
    toldAt = now;
    tell({ type: "view", view } satisfies NodeWord);
  };
}

async function main(settings: NodeSettings): Promise<void> {
  const disk = openNodeDisk(settings);
  const clock = openNodeClock(settings.bootId);
  let group: NodeGroup | undefined;
  const tellView = tellViews(() => group);
  try {
    group = await openNodeGroup({
      settings,
      fileSystem: disk.fileSystem,
      environment: clock.environment,
      onEvent: (name, detail) => {
        if (!UNTOLD_EVENTS.has(name))
          tell({ type: "event", name, detail: JSON.stringify(detail) } satisfies NodeWord);
        if (name === "role" || name === "leader") setImmediate(tellView);
      },
      onFailure: (error) => {
        fail("service", error);
      },
    });
  } catch (error) {
    fail("open", error);
    return;
  }
  setInterval(tellView, VIEW_EVERY_MS);
  serveCalls<NodeCalls>(nodeHandlers({ group, disk, clock }));
}

// So that an assertion that fails in the middle of a turn is told as what it is.
process.on("uncaughtException", (error) => {
  fail("service", error);
});
endWithParent();
await main(JSON.parse(process.argv[2] ?? "") as NodeSettings);
