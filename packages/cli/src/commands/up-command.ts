/** `quorumlog up`: a cluster on this machine, with a table of how it is. */

import { ClusterAccess } from "../cluster-access.ts";
import { type Command, integer, text } from "../command.ts";
import { aborted } from "../process-life.ts";
import { tableOf } from "../table.ts";
import { demonstrate } from "../up/demonstration.ts";
import { LocalCluster } from "../up/local-cluster.ts";
import { STATUS_HEADS, statusOf, statusRow } from "./status-command.ts";

const LOOK_MS = 1_000;
/** Up and left, and what is below is gone: the next table takes its place. */
const CLEAR = "\u001B[H\u001B[J";

export const UP: Command = {
  name: "up",
  about: "starts a cluster on this machine: a NameServer, and broker groups",
  settings: {
    nodes: { type: "integer", about: "of each broker group", min: 1, max: 7, fallback: 3 },
    groups: { type: "integer", about: "how many broker groups", min: 1, max: 8, fallback: 1 },
    dataDir: { type: "text", about: "where everything is kept", fallback: "./quorumlog-data" },
    demo: {
      type: "flag",
      about: "publishes, kills the leader, consumes, and ends",
      fallback: false,
    },
  },
  async run({ settings, signal }) {
    const cluster = await LocalCluster.start({
      dataDir: text(settings, "dataDir"),
      nodes: integer(settings, "nodes"),
      groups: integer(settings, "groups"),
      onLine: (name, line) => {
        console.error(`${name}: ${line}`);
      },
      onLost: (name, how) => {
        console.error(`${name} has ended: ${how}`);
      },
    });
    try {
      if (settings["demo"] !== true) {
        await showUntil(cluster, signal);
        return 0;
      }
      await using access = new ClusterAccess([cluster.nameServer]);
      console.log(await statusTable(access, signal));
      const { acknowledged, consumed, isInOrder } = await demonstrate(cluster, signal);
      console.log(await statusTable(access, signal));
      const isWell = acknowledged === consumed && isInOrder;
      const order = isInOrder ? "each group in order" : "NOT IN ORDER";
      console.log(`${acknowledged} acknowledged, ${consumed} consumed, ${order}`);
      return isWell ? 0 : 1;
    } finally {
      await cluster.stop();
    }
  },
};

async function showUntil(cluster: LocalCluster, signal: AbortSignal): Promise<void> {
  await using access = new ClusterAccess([cluster.nameServer]);
  const over = aborted(signal);
  let before = 0;
  while (!signal.aborted) {
    const { table, messages } = await look(access, signal);
    const rate = Math.max(0, messages - before);
    before = messages;
    const head = `NameServer ${cluster.nameServer}   ${rate} messages/s   interrupt to stop\n\n`;
    process.stdout.write(`${process.stdout.isTTY ? CLEAR : ""}${head}${table}\n`);
    await Promise.race([over, new Promise((resolve) => setTimeout(resolve, LOOK_MS))]);
  }
}

async function statusTable(access: ClusterAccess, signal: AbortSignal): Promise<string> {
  return (await look(access, signal)).table;
}

async function look(
  access: ClusterAccess,
  signal: AbortSignal,
): Promise<{ readonly table: string; readonly messages: number }> {
  const { groups } = await access.cluster(signal);
  const nodes = groups.flatMap(({ name, nodes: members }) =>
    members.map(({ address, nodeId }) => ({ name, address, nodeId })),
  );
  const rows = await Promise.all(
    nodes
      .toSorted((a, b) => a.nodeId - b.nodeId)
      .map(async ({ name, address }) => statusRow(name, address, await statusOf(address))),
  );
  const counts = new Map<string, number>();
  for (const row of rows)
    counts.set(String(row[0]), Math.max(Number(row.at(-1)), counts.get(String(row[0])) ?? 0));
  const messages = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return { table: tableOf(STATUS_HEADS, rows), messages };
}
