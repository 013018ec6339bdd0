/** `quorumlog cluster status`: what each node says of itself. */

import { NODE_SERVICE, OperationError } from "@quorumlog/protocol";
import type { NodeStatus } from "@quorumlog/protocol/messages";
import { ask, ClusterAccess } from "../cluster-access.ts";
import { CLUSTER_SETTINGS, type Command, list } from "../command.ts";
import { tableOf } from "../table.ts";

export const STATUS_HEADS: readonly string[] = [
  "group",
  "node",
  "address",
  "role",
  "term",
  "last",
  "synced",
  "committed",
  "applied",
  "messages",
];

export const CLUSTER_STATUS: Command = {
  name: "cluster status",
  about: "shows each node: its role, and how far it is",
  settings: CLUSTER_SETTINGS,
  async run({ settings, signal }) {
    await using access = new ClusterAccess(list(settings, "nameServers"));
    const { groups } = await access.cluster(signal);
    const nodes = groups.flatMap(({ name, nodes: members }) =>
      members.map(({ address }) => ({ name, address })),
    );
    const statuses = await Promise.all(
      nodes.map(async ({ name, address }) => ({ name, address, status: await statusOf(address) })),
    );
    if (settings["json"] === true)
      for (const { address, status } of statuses) console.log(JSON.stringify({ address, status }));
    else {
      const rows = statuses.map(({ name, address, status }) => statusRow(name, address, status));
      console.log(tableOf(STATUS_HEADS, rows));
    }
    return statuses.every(({ status }) => status !== undefined) ? 0 : 1;
  },
};

/** @returns `undefined` if it does not answer. */
export async function statusOf(address: string): Promise<NodeStatus | undefined> {
  try {
    return await ask(address, NODE_SERVICE.getStatus, {});
  } catch (error) {
    if (error instanceof OperationError) return undefined;
    throw error;
  }
}

export function statusRow(
  name: string,
  address: string,
  status: NodeStatus | undefined,
): (string | number)[] {
  if (status === undefined) return [name, "?", address, "down", 0, 0, 0, 0, 0, 0];
  const { nodeId, role, term, lastIndex, syncedIndex, commitIndex, appliedIndex } = status;
  const indexes = [lastIndex, syncedIndex, commitIndex, appliedIndex];
  return [name, String(nodeId), address, role, term, ...indexes, status.messagesApplied];
}
