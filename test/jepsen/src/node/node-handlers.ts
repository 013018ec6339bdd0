/** Answers calls to a node: of its replica, of its disk, and of its clock. */

import type { CallHandlers } from "@quorumlog/integration/testing";
import type { GroupStatus } from "@quorumlog/replica";
import type { NodeClock } from "./node-clock.ts";
import type { NodeDisk } from "./node-disk.ts";
import type { NodeGroup } from "./node-group.ts";
import type { NodeCalls, NodeView } from "./node-protocol.ts";

export function nodeHandlers(init: {
  readonly group: NodeGroup;
  readonly disk: NodeDisk;
  readonly clock: NodeClock;
}): CallHandlers<NodeCalls> {
  const { group, disk, clock } = init;
  const { replica } = group;
  return {
    view: () => viewOf(replica.status()),
    audit: () => group.audit(),
    snapshotNames: () => group.snapshotNames(),
    setDisk: (condition) => {
      disk.fileSystem.condition = condition;
      return undefined;
    },
    diskTroubles: () => disk.fileSystem.troubles(),
    setClock: ({ offsetMs }) => {
      clock.offsetMs = offsetMs;
      return undefined;
    },
    transfer: ({ to, ...options }) => nothing(replica.transferLeadership(to, options)),
    addLearner: ({ nodeId, address, ...options }) =>
      nothing(replica.addLearner(nodeId, address, options)),
    promote: ({ nodeId, ...options }) => nothing(replica.promote(nodeId, options)),
    remove: ({ nodeId, ...options }) => nothing(replica.remove(nodeId, options)),
    snapshot: (options) => nothing(replica.snapshot(options)),
    crash: () => disk.crash(),
    close: () => nothing(group.close()),
  };
}

export function viewOf(status: GroupStatus): NodeView {
  const { role, term, leaderId, lastIndex, commitIndex, appliedIndex, firstOffset } = status;
  const { voters, learners } = status.configuration;
  return {
    role,
    term,
    leaderId,
    lastIndex,
    commitIndex,
    appliedIndex,
    firstOffset,
    voters: voters.map(({ id }) => id),
    learners: learners.map(({ id }) => id),
  };
}

async function nothing(promise: Promise<void>): Promise<undefined> {
  await promise;
  return undefined;
}
