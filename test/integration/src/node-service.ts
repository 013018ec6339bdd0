/** Answers calls to a node: each call of the protocol is one of the replica. */

import type { ReplicatedLog } from "@quorumlog/replica";
import { decodeClientRecord } from "./client-record.ts";
import { parseDiskFault } from "./disk-fault.ts";
import type { FaultyFileSystem } from "./faulty-file-system.ts";
import type { NodeCalls, ReadSummary } from "./node-protocol.ts";
import type { CallHandlers } from "./process/parent-process.ts";
import { auditRecords } from "./record-audit.ts";

export function nodeHandlers(log: ReplicatedLog, disk: FaultyFileSystem): CallHandlers<NodeCalls> {
  return {
    append: async ({ data, session, ...options }) => {
      const { offset, isDuplicate } =
        session === undefined
          ? await log.append(data, options)
          : await log
              .session(session.sessionId, session.sequence)
              .append(data, { ...options, sequence: session.sequence });
      return { offset: offset as number, isDuplicate };
    },
    openSession: async (options) => (await log.openSession(options)).sessionId,
    barrier: (options) => nothing(log.readBarrier(options)),
    status: () => log.status(),
    audit: () => auditRecords(log, log.status()),
    read: ({ from, maxBytes }) => readSummary(log, from, maxBytes),
    trim: ({ before, ...options }) => nothing(log.trim(before, options)),
    snapshot: (options) => nothing(log.snapshot(options)),
    transfer: ({ to, ...options }) => nothing(log.transferLeadership(to, options)),
    addLearner: ({ nodeId, address, ...options }) =>
      nothing(log.addLearner(nodeId, address, options)),
    promote: ({ nodeId, ...options }) => nothing(log.promote(nodeId, options)),
    remove: ({ nodeId, ...options }) => nothing(log.remove(nodeId, options)),
    replace: ({ former, nodeId, address, ...options }) =>
      nothing(log.replace(former, { nodeId, address }, options)),
    arm: ({ fault }) => {
      disk.arm(fault === undefined ? undefined : parseDiskFault(fault));
      return undefined;
    },
    operations: () => disk.counts(),
    close: (options) => nothing(log.close(options)),
  };
}

function readSummary(log: ReplicatedLog, from: number, maxBytes: number): ReadSummary {
  const { records, nextOffset } = log.read(from, { maxBytes });
  const wrong = records.filter(({ data }) => decodeClientRecord(data) === undefined);
  return { nextOffset, count: records.length, wrong: wrong.map(({ offset }) => offset) };
}

async function nothing(promise: Promise<void>): Promise<undefined> {
  await promise;
  return undefined;
}
