/** `quorumlog cluster transfer|add|remove|replace`: who leads a broker group, and who is in it. */

import type { Admin, MembershipChange } from "@quorumlog/client";
import { OperationError } from "@quorumlog/protocol";
import { CLUSTER_SETTINGS, clusterProblems, openAdmin } from "../cluster-settings.ts";
import { type Command, command } from "../command.ts";
import { tellResult } from "../output.ts";
import { type Progress, withProgress } from "../progress.ts";
import { addressProblem } from "../setting-spec.ts";
import { UsageError } from "../settings.ts";

const LOOK_MS = 500;
const TRANSFER_MS = 30_000;

const GROUP = {
  groupId: { type: "integer", about: "of the broker group", min: 1, fallback: 1 },
} as const;
const NEW_NODE = {
  nodeId: { type: "integer", about: "of the new node", min: 1, isRequired: true },
  peerAddress: {
    type: "text",
    about: "host:port where the new node is reached by its peers",
    isRequired: true,
    check: addressProblem,
  },
} as const;
const PATIENCE = {
  timeoutMs: {
    type: "integer",
    about: "how long to wait for the new node",
    min: 1_000,
    max: 86_400_000,
    fallback: 3_600_000,
  },
} as const;
const FIRST_START = [
  "Start the new node first, on an empty directory: quorumlog broker --if-missing join ...",
  "It counts when it holds every message that is retained, which may take a while; if this is",
  "interrupted, the same command goes on from there.",
];

export const CLUSTER_TRANSFER: Command = command(
  {
    ...CLUSTER_SETTINGS,
    ...GROUP,
    nodeId: { type: "integer", about: "of the node that is to lead", min: 1, isRequired: true },
  },
  {
    name: "cluster transfer",
    about: "hands the leadership of a broker group to another node",
    relations: clusterProblems,
    async run({ settings, signal }) {
      const { groupId, nodeId } = settings;
      await using admin = await openAdmin(settings, signal);
      demandGroup(admin, groupId);
      await withProgress(`node ${nodeId} is to lead group ${groupId}`, async () => {
        await admin.transferLeadership({ groupId, nodeId }, { signal, timeoutMs: TRANSFER_MS });
        while (leaderOf(admin, groupId) !== nodeId)
          await admin.clusterChange({ signal, timeoutMs: TRANSFER_MS });
      });
      tellResult(settings.json, { groupId, leaderNodeId: nodeId }, `node ${nodeId} leads now`);
    },
  },
);

export const CLUSTER_ADD: Command = command(
  {
    ...CLUSTER_SETTINGS,
    ...GROUP,
    ...NEW_NODE,
    ...PATIENCE,
    learner: { type: "flag", about: "it receives everything, and decides nothing" },
  },
  {
    name: "cluster add",
    about: "adds a node to a broker group",
    notes: FIRST_START,
    examples: ["quorumlog cluster add --node-id 4 --peer-address 10.0.0.4:7101"],
    relations: clusterProblems,
    async run({ settings, signal }) {
      const { groupId, nodeId, peerAddress, learner, timeoutMs } = settings;
      await using admin = await openAdmin(settings, signal);
      demandGroup(admin, groupId);
      const node = { groupId, nodeId, peerAddress, staysLearner: learner };
      const options = { ...node, signal, timeoutMs };
      const view = await whileCatchingUp({ admin, groupId, nodeId }, () => admin.addNode(options));
      const role = learner ? "a learner" : "a voter";
      tellResult(settings.json, viewObject(view), `node ${nodeId} is ${role} of ${said(view)}`);
    },
  },
);

export const CLUSTER_REMOVE: Command = command(
  {
    ...CLUSTER_SETTINGS,
    ...GROUP,
    nodeId: { type: "integer", about: "of the node that is to leave", min: 1, isRequired: true },
  },
  {
    name: "cluster remove",
    about: "takes a node out of a broker group; its process is yours to stop",
    notes: [
      "If it leads, have another node lead first (cluster transfer): then nobody waits.",
      "A node that is no member is no failure: it is said (with --json: isUnchanged), so that the",
      "command may be repeated after an outcome that was not known. One that another group knows",
      "is: exit code 1, and which group that is.",
    ],
    relations: clusterProblems,
    async run({ settings, signal }) {
      const { groupId, nodeId } = settings;
      await using admin = await openAdmin(settings, signal);
      demandGroup(admin, groupId);
      const view = await withProgress(`node ${nodeId} leaves group ${groupId}`, () =>
        admin.removeNode({ groupId, nodeId }, { signal }),
      );
      if (view.isUnchanged) demandNoOther(admin, view, nodeId);
      const text = view.isUnchanged
        ? `node ${nodeId} is no member, and nothing was changed, of ${said(view)}`
        : `node ${nodeId} has left ${said(view)}`;
      tellResult(settings.json, viewObject(view), text);
    },
  },
);

export const CLUSTER_REPLACE: Command = command(
  {
    ...CLUSTER_SETTINGS,
    ...GROUP,
    former: { type: "integer", about: "id of the node that leaves", min: 1, isRequired: true },
    ...NEW_NODE,
    ...PATIENCE,
  },
  {
    name: "cluster replace",
    about: "puts a new node in the place of another one, in one step",
    notes: FIRST_START,
    examples: ["quorumlog cluster replace --former 3 --node-id 4 --peer-address 10.0.0.4:7101"],
    relations: clusterProblems,
    async run({ settings, signal }) {
      const { groupId, former, nodeId, peerAddress, timeoutMs } = settings;
      await using admin = await openAdmin(settings, signal);
      demandGroup(admin, groupId);
      const node = { groupId, formerNodeId: former, nodeId, peerAddress };
      const options = { ...node, signal, timeoutMs };
      const view = await whileCatchingUp({ admin, groupId, nodeId }, () =>
        admin.replaceNode(options),
      );
      const text = `node ${nodeId} has taken the place of node ${former} in ${said(view)}`;
      tellResult(settings.json, viewObject(view), text);
    },
  },
);

/** Or it would be waited for. @throws UsageError */
function demandGroup(admin: Admin, groupId: number): void {
  const { groups } = admin.cluster();
  if (groups.some((group) => group.groupId === groupId)) return;
  const known = groups.map((group) => `${group.groupId} (${group.name})`).join(", ");
  throw new UsageError([`--group-id: there is no broker group ${groupId}; there are ${known}`]);
}

/** Nothing was done for a node that is in another group: whoever asked meant that one. */
function demandNoOther(admin: Admin, { groupId, name }: MembershipChange, nodeId: number): void {
  const { groups } = admin.cluster();
  const other = groups.find(
    ({ groupId: id, addresses, absentAddresses }) =>
      id !== groupId && (addresses.has(nodeId) || absentAddresses.has(nodeId)),
  );
  if (other === undefined) return;
  const where = `but of group ${other.groupId} (${other.name}): --group-id ${other.groupId}`;
  const message = `node ${nodeId} is no member of group ${groupId} (${name}), ${where}`;
  throw new OperationError("MEMBERSHIP_REFUSED", message, { outcome: "not-applied" });
}

interface NewNode {
  readonly admin: Admin;
  readonly groupId: number;
  readonly nodeId: number;
}

/** Says how much the new node still lacks, as its leader sees it. */
async function whileCatchingUp<T>(node: NewNode, work: () => Promise<T>): Promise<T> {
  const { groupId, nodeId } = node;
  return withProgress(`node ${nodeId} is not reached by group ${groupId} yet`, async (progress) => {
    let isOver = false;
    const told = setInterval(() => {
      // What it says is for the eye: the outcome is told by the call itself.
      tellProgress(node, progress).catch((error: unknown) => {
        if (!isOver && !(error instanceof OperationError)) throw error;
      });
    }, LOOK_MS);
    try {
      return await work();
    } catch (error) {
      if (error instanceof OperationError && error.code !== "MEMBERSHIP_REFUSED")
        console.error(
          `quorumlog: node ${nodeId} may be a learner by now: the same command goes on from there`,
        );
      throw error;
    } finally {
      isOver = true;
      clearInterval(told);
    }
  });
}

async function tellProgress({ admin, groupId, nodeId }: NewNode, bar: Progress): Promise<void> {
  const leader = leaderOf(admin, groupId);
  if (leader === undefined) return;
  const status = await admin.nodeStatus({ groupId, nodeId: leader }, { timeoutMs: 2_000 });
  const member = status.progress.find((each) => each.nodeId === nodeId);
  if (member === undefined) return;
  const matchIndex = member.matchIndex ?? 0;
  const total = Math.max(1, status.lastIndex - status.firstIndex + 1);
  const held = Math.max(0, matchIndex - status.firstIndex + 1);
  const percent = Math.floor((100 * held) / total);
  const behind = status.lastIndex - matchIndex;
  bar.tell(`node ${nodeId} catches up: ${percent} %, ${behind} entries to go`);
}

function leaderOf(admin: Admin, groupId: number): number | undefined {
  const group = admin.cluster().groups.find((each) => each.groupId === groupId);
  return group === undefined || group.leaderNodeId === 0 ? undefined : group.leaderNodeId;
}

function viewObject(view: MembershipChange): object {
  const { groupId, name, term, leaderNodeId, voterNodeIds, learnerNodeIds, isUnchanged } = view;
  return { groupId, name, term, leaderNodeId, voterNodeIds, learnerNodeIds, isUnchanged };
}

function said({ name, voterNodeIds, learnerNodeIds }: MembershipChange): string {
  const behind = learnerNodeIds.length === 0 ? "" : `, learners ${learnerNodeIds.join(", ")}`;
  return `${name}: voters ${voterNodeIds.join(", ")}${behind}`;
}
