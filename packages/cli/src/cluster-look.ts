/** How all nodes of a cluster are: each is asked itself, as routes only say where they are. */

import type { Admin } from "@quorumlog/client";
import { OperationError } from "@quorumlog/protocol";
import type { NodeStatus } from "@quorumlog/protocol/messages";

/** One node of a broker group, as it says itself. */
export interface NodeLook {
  readonly group: string;
  readonly groupId: number;
  readonly nodeId: number;
  /** Of one that is down, where it was; empty: no NameServer has ever heard of it. */
  readonly address: string;
  /** As the group's leader says: `?` if there is none. */
  readonly membership: "voter" | "learner" | "?";
  readonly status: NodeStatus | undefined;
  /** Entries that are committed, and that it has not applied. */
  readonly lag: number;
}

const ANSWER_MS = 2_000;

export async function lookAtCluster(admin: Admin, signal: AbortSignal): Promise<NodeLook[]> {
  const { groups } = admin.cluster();
  const looks = await Promise.all(
    groups.map(async ({ groupId, name, addresses, absentAddresses }) => {
      const asked = await Promise.all(
        [...addresses].map(async ([nodeId, address]) => {
          const status = await statusOf(admin, { groupId, nodeId }, signal);
          return { nodeId, address, status };
        }),
      );
      return groupLook({ groupId, group: name, absentAddresses }, asked);
    }),
  );
  return looks.flat();
}

interface Asked {
  readonly nodeId: number;
  readonly address: string;
  readonly status: NodeStatus | undefined;
}

interface LookedAtGroup {
  readonly groupId: number;
  readonly group: string;
  readonly absentAddresses: ReadonlyMap<number, string>;
}

function groupLook(
  { groupId, group, absentAddresses }: LookedAtGroup,
  asked: readonly Asked[],
): NodeLook[] {
  const statuses = asked.flatMap(({ status }) => (status === undefined ? [] : [status]));
  const newest = statuses.toSorted((a, b) => b.term - a.term);
  const view = (newest.find(({ role }) => role === "leader") ?? newest[0])?.group;
  const voters = new Set(view?.voterNodeIds);
  const learners = new Set(view?.learnerNodeIds);
  const committed = Math.max(0, ...statuses.map(({ commitIndex }) => commitIndex));
  const known = new Map(asked.map((each) => [each.nodeId, each]));
  // A member that is down is on no route; of one that nobody speaks for any more, less is known.
  return [...new Set([...voters, ...learners, ...known.keys(), ...absentAddresses.keys()])]
    .toSorted((a, b) => a - b)
    .map((nodeId) => {
      const { address = absentAddresses.get(nodeId) ?? "", status } = known.get(nodeId) ?? {};
      const lag = status === undefined ? 0 : Math.max(0, committed - status.appliedIndex);
      const membership = voters.has(nodeId) ? "voter" : learners.has(nodeId) ? "learner" : "?";
      return { group, groupId, nodeId, address, membership, status, lag };
    });
}

/** @returns `undefined` if it does not answer */
async function statusOf(
  admin: Admin,
  node: { readonly groupId: number; readonly nodeId: number },
  signal: AbortSignal,
): Promise<NodeStatus | undefined> {
  try {
    return await admin.nodeStatus(node, { timeoutMs: ANSWER_MS, signal });
  } catch (error) {
    if (error instanceof OperationError && !signal.aborted) return undefined;
    throw error;
  }
}
