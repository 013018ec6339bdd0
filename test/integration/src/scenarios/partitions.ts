/** Scenario: links between nodes go silent, both ways or one way, and heal; a node stands still. */

import { openLinkProxy, type LinkProxy } from "@quorumlog/transport/testing";
import type { Cluster } from "../cluster.ts";
import type { NodeProcess } from "../node-process.ts";
import { sleep, until } from "../patience.ts";
import type { Form, Part, PartContext, PartResult, Scenario } from "../scenario.ts";

type Fault = "silent" | "deaf" | "mute" | "paused" | "cut";

const ROUND_COUNT = { short: 1, full: 5 } as const;
const HOLD_MS = { short: 200, full: 3_000 } as const;
const NEW_LEADER_MS_MAX = 2_000;
const GIVE_UP_MS = 20_000;
const CALL_TIMEOUT_MS = 1_000;

/** A proxy for each direction of each pair. */
class Links {
  readonly #proxies = new Map<string, LinkProxy>();

  async open(cluster: Cluster): Promise<void> {
    for (const from of cluster.founders())
      for (const to of cluster.founders().filter((id) => id !== from)) {
        const [host = "", port] = (await cluster.addressOf(to)).split(":");
        this.#proxies.set(`${from}-${to}`, await openLinkProxy({ host, port: Number(port) }));
      }
  }

  /** Where node `from` connects to, by the address of each other node. */
  async routesOf(cluster: Cluster, from: number): Promise<Record<string, string>> {
    const routes: Record<string, string> = {};
    for (const to of cluster.founders().filter((id) => id !== from))
      routes[await cluster.addressOf(to)] = this.#proxies.get(`${from}-${to}`)?.address ?? "";
    return routes;
  }

  /** Those that node `nodeId` dials, or those that are dialed to reach it. */
  of(nodeId: number, side: "out" | "in"): LinkProxy[] {
    return [...this.#proxies].flatMap(([key, proxy]) => {
      const [from, to] = key.split("-").map(Number);
      return (side === "out" ? from : to) === nodeId ? [proxy] : [];
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy.close()));
  }
}

async function run(context: PartContext, fault: Fault): Promise<PartResult> {
  const { form, journal } = context;
  const links = new Links();
  context.onDispose(() => links.close());
  const cluster = await context.startCluster({
    prepare: (made) => links.open(made),
    routesOf: (nodeId, made) => links.routesOf(made, nodeId),
  });
  for (let round = 1; round <= ROUND_COUNT[form]; round++) {
    context.startLoad({ timeoutMs: CALL_TIMEOUT_MS, plain: 3 });
    await sleep(300);
    const former = await cluster.leader();
    await begin(fault, links, former);
    const startedAt = performance.now();
    await until("another node leads", GIVE_UP_MS, async () => {
      const others = await Promise.all(
        cluster
          .serving()
          .filter((node) => node !== former)
          .map((node) => node.call("status", undefined)),
      );
      return others.some(({ role }) => role === "leader") ? true : undefined;
    });
    const ms = Math.round(performance.now() - startedAt);
    context.countMax("new leader ms Max", ms);
    context.count("new leader ms, sum", ms);
    context.count("partitions");
    context.demand(ms <= NEW_LEADER_MS_MAX, `round ${round}: a new leader took ${ms} ms`);
    const before = journal.acknowledgedCount;
    await sleep(HOLD_MS[form]);
    // Whoever asked the former leader waits until that call is over.
    await until("the others go on", CALL_TIMEOUT_MS + GIVE_UP_MS, () =>
      journal.acknowledgedCount > before ? true : undefined,
    );
    await heal(fault, links, former);
    context.countMax("write gap ms Max", journal.takeGapMs());
    await context.check();
    context.progress(`${round} of ${ROUND_COUNT[form]}, new leader after ${ms} ms`);
  }
  return context.result();
}

async function begin(fault: Fault, links: Links, node: NodeProcess): Promise<void> {
  const { nodeId } = node;
  const [out, into] = [links.of(nodeId, "out"), links.of(nodeId, "in")];
  if (fault === "paused") node.pause(true);
  else if (fault === "cut") await Promise.all([...out, ...into].map((proxy) => proxy.cut()));
  // Data goes from who dials to who is dialed; answers of the protocol below may go back.
  else if (fault === "mute") for (const proxy of out) proxy.stall(["forward"]);
  else if (fault === "deaf") for (const proxy of into) proxy.stall(["forward"]);
  else for (const proxy of [...out, ...into]) proxy.stall();
}

async function heal(fault: Fault, links: Links, node: NodeProcess): Promise<void> {
  if (fault === "paused") node.pause(false);
  else
    await Promise.all(
      [...links.of(node.nodeId, "out"), ...links.of(node.nodeId, "in")].map((proxy) =>
        proxy.heal(),
      ),
    );
}

export const partitions: Scenario = {
  name: "partitions",
  title: "the leader's links stall, both ways or one way, and heal",
  parts: (form: Form): readonly Part[] =>
    (form === "short"
      ? (["silent", "mute"] as const)
      : (["silent", "mute", "deaf", "paused", "cut"] as const)
    ).map((fault) => ({ name: fault, run: (context) => run(context, fault) })),
};
