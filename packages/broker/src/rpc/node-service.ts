/** What a node says of itself and its group, and changes of who belongs to it. */

import { type Handlers, type NODE_SERVICE, OperationError } from "@quorumlog/protocol";
import type { GroupView } from "@quorumlog/nameserver";
import type {
  GroupView as GroupMessage,
  MembershipReply,
  NodeStatus,
} from "@quorumlog/protocol/messages";
import type { BrokerGroup } from "../broker-group.ts";

/** A replacement copies everything that is retained. */
const MEMBERSHIP_TIMEOUT_MS = 3_600_000;

export function nodeHandlers(group: BrokerGroup, clusterId: string): Handlers<typeof NODE_SERVICE> {
  /** @param work - Says whether there was nothing to do. */
  const change = async (
    work: () => Promise<boolean | void>,
  ): Promise<MembershipReply.$Properties> => {
    try {
      const isUnchanged = await work();
      return { group: messageOf(groupView(group)), isUnchanged: isUnchanged === true };
    } catch (error) {
      throw group.operationError(error);
    }
  };
  const { replica } = group;
  return {
    getStatus: { unary: () => statusOf(group, clusterId) },
    transferLeadership: {
      unary: ({ nodeId }, { signal }) =>
        change(() => replica.transferLeadership(nodeId, { signal })),
    },
    addNode: {
      unary: ({ nodeId, peerAddress, staysLearner }, { signal }) =>
        change(async () => {
          group.demandLeader();
          // Repeated, after an outcome that was not known.
          if (!staysLearner && groupView(group).voterNodeIds.includes(nodeId)) return true;
          const options = { signal, timeoutMs: MEMBERSHIP_TIMEOUT_MS };
          await replica.addLearner(nodeId, demandAddress(peerAddress), options);
          if (!staysLearner) await replica.promote(nodeId, options);
          return false;
        }),
    },
    removeNode: {
      unary: ({ nodeId }, { signal }) =>
        change(async () => {
          // Whoever does not lead any more may not have heard of the last change.
          await group.readBarrier(signal);
          group.demandLeader();
          const { voterNodeIds, learnerNodeIds } = groupView(group);
          if (![...voterNodeIds, ...learnerNodeIds].includes(nodeId)) return true;
          await replica.remove(nodeId, { signal });
          return false;
        }),
    },
    replaceNode: {
      unary: ({ formerNodeId, nodeId, peerAddress }, { signal }) =>
        change(async () => {
          group.demandLeader();
          const { voterNodeIds, learnerNodeIds } = groupView(group);
          const isMember = [...voterNodeIds, ...learnerNodeIds].includes(formerNodeId);
          if (!isMember && voterNodeIds.includes(nodeId)) return true;
          await replica.replace(
            formerNodeId,
            { nodeId, address: demandAddress(peerAddress) },
            { signal, timeoutMs: MEMBERSHIP_TIMEOUT_MS },
          );
          return false;
        }),
    },
  };
}

/** The group as this node sees it. */
export function groupView({ groupId, name, replica }: BrokerGroup): GroupView {
  const { term, leaderId, configuration } = replica.status();
  return {
    groupId,
    name,
    term,
    leaderNodeId: leaderId ?? 0,
    voterNodeIds: configuration.voters.map(({ id }) => id),
    learnerNodeIds: configuration.learners.map(({ id }) => id),
  };
}

function messageOf({ voterNodeIds, learnerNodeIds, ...view }: GroupView): GroupMessage.$Properties {
  return { ...view, voterNodeIds: [...voterNodeIds], learnerNodeIds: [...learnerNodeIds] };
}

function statusOf(group: BrokerGroup, clusterId: string): NodeStatus.$Properties {
  const { replica, machine, traffic } = group;
  const status = replica.status();
  return {
    clusterId,
    nodeId: status.nodeId,
    groupId: group.groupId,
    groupName: group.name,
    role: status.role,
    term: status.term,
    leaderNodeId: status.leaderId ?? 0,
    lastIndex: status.lastIndex,
    syncedIndex: status.syncedIndex,
    commitIndex: status.commitIndex,
    appliedIndex: status.appliedIndex,
    firstIndex: status.firstIndex,
    logBytes: status.logBytes,
    messagesApplied: machine.applied.messages,
    bytesApplied: machine.applied.bytes,
    metadataVersion: machine.metadata.version,
    group: messageOf(groupView(group)),
    progress: status.progress.map(({ id, matchIndex, isLearner, recentActive }) => ({
      nodeId: id,
      matchIndex,
      isLearner,
      isActive: recentActive,
    })),
    diskLagMs: Math.round(status.diskLagMs),
    timeMs: status.time,
    messagesIn: traffic.messagesIn,
    bytesIn: traffic.bytesIn,
    messagesOut: traffic.messagesOut,
    bytesOut: traffic.bytesOut,
    fetchesWaiting: traffic.fetchesWaiting,
    pendingBytes: status.pendingBytes,
    diskFreeBytes: wireBytes(status.disk.freeBytes),
    diskTotalBytes: wireBytes(status.disk.totalBytes),
    isDiskFull: status.disk.isFull,
    leaderChanges: group.leaderChanges,
    residentBytes: process.memoryUsage.rss(),
    flush: status.flush,
    problem: group.refusal?.message ?? "",
    rulesVersion: machine.rules.inForce,
    knownRulesVersion: machine.rules.known,
  };
}

/** A disk in memory may have no end. */
function wireBytes(bytes: number): number {
  return Math.min(Math.floor(bytes), Number.MAX_SAFE_INTEGER);
}

function demandAddress(address: string): string {
  if (address !== "") return address;
  throw new OperationError("INVALID_ARGUMENT", "peer_address: is empty", {
    problems: [{ field: "peer_address", problem: "is empty" }],
  });
}
