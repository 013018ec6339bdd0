/**
 * A replica that writes by itself whenever it leads, at a steady rate, and says when its first
 * append of a reign is acknowledged. Times are those of the machine's monotonic clock, which all
 * its processes share.
 */

import { ReplicatedLog } from "@quorumlog/replica";
import { runLoad } from "../replica/append-load.ts";

export interface FailoverConfig {
  readonly nodeId: number;
  readonly directory: string;
  readonly listen: string;
  /** As this node reaches them, by node id. */
  readonly peers: Readonly<Record<number, string>>;
}

export type FailoverRequest =
  | { readonly type: "peak"; readonly ms: number }
  | { readonly type: "rate"; readonly perSecond: number }
  | { readonly type: "transfer"; readonly to: number }
  | { readonly type: "state" };

export interface NodeState {
  readonly role: string;
  readonly leaderId: number | undefined;
  readonly appliedIndex: number;
  readonly commitIndex: number;
  readonly lastAckAt: number;
}

export type FailoverAnswer =
  | { readonly type: "ready" | "done" }
  | { readonly type: "peak"; readonly perSecond: number }
  | { readonly type: "state"; readonly state: NodeState }
  /** Not an answer: told as it happens. */
  | { readonly type: "firstAck"; readonly nodeId: number; readonly at: number };

const ENTRY_BYTES = 1_024;
const STEP_MS = 2;
const IN_FLIGHT_MAX = 8_192;

/** In milliseconds, the same for all processes. */
export function machineTime(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function send(message: FailoverAnswer): void {
  process.send?.(message);
}

async function main(config: FailoverConfig): Promise<void> {
  const { nodeId, directory, listen, peers } = config;
  let perSecond = 0;
  let lastAckAt = 0;
  let isFirst = true;
  let inFlight = 0;
  const log = await ReplicatedLog.open({
    directory,
    clusterId: "bench",
    nodeId,
    listen,
    peers,
    token: "the token of the bench",
    ifMissing: "found",
    retention: { bytes: 128 * 1024 * 1024 },
    tuning: { segmentBytes: 16 * 1024 * 1024, snapshotEveryBytes: 16 * 1024 * 1024 },
    onEvent: (event) => {
      if (event.type === "role" && event.role === "leader") isFirst = true;
    },
  });
  const append = (): void => {
    inFlight += 1;
    log.append(Buffer.alloc(ENTRY_BYTES, nodeId)).then(
      () => {
        inFlight -= 1;
        lastAckAt = machineTime();
        if (isFirst) send({ type: "firstAck", nodeId, at: lastAckAt });
        isFirst = false;
      },
      () => {
        inFlight -= 1;
      },
    );
  };
  let due = 0;
  let steppedAt = performance.now();
  setInterval(() => {
    const now = performance.now();
    due = Math.min(due + ((now - steppedAt) / 1_000) * perSecond, perSecond / 10);
    steppedAt = now;
    if (log.status().role !== "leader") due = 0;
    const count = Math.min(Math.floor(due), IN_FLIGHT_MAX - inFlight);
    for (let i = 0; i < count; i++) append();
    due -= Math.max(0, count);
  }, STEP_MS);
  const state = (): NodeState => {
    const { role, leaderId, appliedIndex, commitIndex } = log.status();
    return { role, leaderId, appliedIndex, commitIndex, lastAckAt };
  };
  const answer = async (request: FailoverRequest): Promise<FailoverAnswer> => {
    switch (request.type) {
      case "peak": {
        const load = { entryBytes: ENTRY_BYTES, inFlight: 4_096, warmupMs: 500, ms: request.ms };
        const { entries, seconds } = await runLoad(load, (bytes) => log.append(bytes));
        return { type: "peak", perSecond: entries / seconds };
      }
      case "rate":
        perSecond = request.perSecond;
        return { type: "done" };
      case "transfer":
        await log.transferLeadership(request.to);
        return { type: "done" };
      default:
        return { type: "state", state: state() };
    }
  };
  process.on("message", (request: FailoverRequest) => {
    answer(request).then(send, (error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  });
  process.on("disconnect", () => process.exit(0));
  await log.leader();
  send({ type: "ready" });
}

if (process.argv[1]?.endsWith("failover-node.js") === true)
  await main(JSON.parse(process.argv[2] ?? "{}") as FailoverConfig);
