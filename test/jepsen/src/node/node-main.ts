/**
 * One node: a process of its own that opens a replica, serves clients, and does what the harness
 * tells it.
 *
 *     node dist/node/node-main.js SETTINGS     SETTINGS is the JSON of `NodeSettings`
 *
 * Ends with the replica, or with the harness.
 */

import { openNodeClock } from "./node-clock.ts";
import { openNodeDisk } from "./node-disk.ts";
import { type NodeGroup, openNodeGroup } from "./node-group.ts";
import { nodeHandlers, viewOf } from "./node-handlers.ts";
import {
  type CallMessage,
  EXIT_CODE,
  type NodeMessage,
  type NodeSettings,
  reportOf,
} from "./node-protocol.ts";

const VIEW_EVERY_MS = 50;
/** A node that has nobody to tell its failure to ends nevertheless. */
const LAST_WORDS_MS = 2_000;
/** Too many to be told of each. */
const UNTOLD_EVENTS: ReadonlySet<string> = new Set(["configuration", "slowCallback"]);

function tell(message: NodeMessage): void {
  // A harness that is gone hears nothing; `disconnect` ends this process then.
  process.send?.(message, undefined, undefined, () => undefined);
}

function endWith(exitCode: number, message: NodeMessage): void {
  const end = (): void => {
    process.exit(exitCode);
  };
  setTimeout(end, LAST_WORDS_MS);
  process.send?.(message, undefined, undefined, end);
}

function fail(error: unknown): void {
  endWith(EXIT_CODE.failed, { type: "fatal", during: "service", error: reportOf(error) });
}

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
    tell({ type: "view", view });
  };
}

async function answer(
  { id, name, input }: CallMessage,
  handlers: ReturnType<typeof nodeHandlers>,
): Promise<NodeMessage> {
  try {
    const handler = handlers[name] as (given: unknown) => unknown;
    return { type: "result", id, value: await handler(input) };
  } catch (error) {
    return { type: "error", id, error: reportOf(error) };
  }
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
        if (!UNTOLD_EVENTS.has(name)) tell({ type: "event", name, detail: JSON.stringify(detail) });
        if (name === "role" || name === "leader") setImmediate(tellView);
      },
      onFailure: fail,
    });
  } catch (error) {
    endWith(EXIT_CODE.cannotOpen, { type: "fatal", during: "open", error: reportOf(error) });
    return;
  }
  setInterval(tellView, VIEW_EVERY_MS);
  const handlers = nodeHandlers({ group, disk, clock });
  process.on("message", (message) => {
    const call = message as CallMessage;
    void answer(call, handlers).then((reply) => {
      if (call.name === "close" && reply.type === "result") endWith(EXIT_CODE.closed, reply);
      else tell(reply);
    });
  });
  tell({ type: "ready" });
}

// So that an assertion that fails in the middle of a turn is told as what it is.
process.on("uncaughtException", fail);
process.on("disconnect", () => {
  process.exit(EXIT_CODE.orphaned);
});
await main(JSON.parse(process.argv[2] ?? "") as NodeSettings);
