/** Members come and go: each node in turn is wiped, and comes back as one that nobody knows. */

import { addNode, removeNode, replaceNode } from "../../cluster/membership.ts";
import type { Fault, FaultContext, Hit } from "../fault.ts";
import { electionsSeen } from "./victims.ts";

const SWAP_SHARE = 0.5;

/** @returns one that remembers whose turn it is. */
export function membershipChurn(): Fault {
  const turns: number[] = [];
  const replaced = new Set<number>();
  return {
    name: "membership",
    title: "nodes are added, removed, and replaced: each in turn",
    reach: "minority",
    holdMsMax: 0,
    bitesNeeded: (memberCount) => memberCount,
    begin: (context) => {
      const { cluster, harm } = context;
      if (turns.length === 0) turns.push(...context.prng.shuffle([...cluster.memberIds]));
      // Whoever has left since then has had a turn.
      const nodeId = turns.find((id) => cluster.memberIds.includes(id) && !harm.isHarmed(id));
      const claim = nodeId === undefined ? undefined : harm.claim([nodeId]);
      if (nodeId === undefined || claim === undefined) return Promise.resolve(undefined);
      turns.splice(0, turns.length, ...turns.filter((id) => id !== nodeId));
      const hit = changeOf(context, nodeId);
      return Promise.resolve({
        nodes: [nodeId],
        words: hit.words,
        end: async () => {
          const elections = electionsSeen(cluster);
          try {
            await hit.run();
          } finally {
            claim.release();
          }
          replaced.add(nodeId);
          const nodesChanged = [...replaced].toSorted((a, b) => a - b).join();
          const evidence = { changes: 1, nodesChanged, elections: elections() };
          return { evidence, hasBitten: true };
        },
      });
    },
  };
}

function changeOf(
  { cluster, prng }: FaultContext,
  nodeId: number,
): { readonly words: Hit["words"]; readonly run: () => Promise<void> } {
  const [spare] = cluster.spareIds;
  if (spare === undefined || !prng.chance(SWAP_SHARE))
    return {
      words: `node ${nodeId} is removed and wiped, and added again`,
      run: () => replaceNode(cluster, nodeId),
    };
  return {
    words: `node ${spare} is added, and node ${nodeId} removed`,
    run: async () => {
      await addNode(cluster, spare);
      await removeNode(cluster, nodeId);
    },
  };
}
