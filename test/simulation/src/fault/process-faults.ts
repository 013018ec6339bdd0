/** Faults of processes and clocks, and what operators do to a running node. */

import type { RaftCore } from "@quorumlog/raft";
import { MILLISECOND, SECOND } from "../engine/event-queue.ts";
import type { Host } from "../run/host.ts";
import type { Fault, FaultContext } from "./fault-context.ts";
import type { FaultKind } from "./swarm.ts";

type ProcessFault = Extract<
  FaultKind,
  | "pause"
  | "suspend"
  | "clockDrift"
  | "clockJump"
  | "crash"
  | "crashAll"
  | "crashAtBoundary"
  | "transfer"
  | "campaign"
  | "forgetLeader"
  | "snapshot"
>;

export const PROCESS_FAULTS: Readonly<Record<ProcessFault, Fault>> = {
  /** SIGSTOP and SIGCONT: the process stands still, its clock does not. */
  pause(context) {
    const host = context.pickRunning();
    if (host === undefined) return false;
    const time = context.prng.chance(0.6)
      ? context.electionTimeout * (0.5 + context.prng.fraction() * 4)
      : context.duration(20 * MILLISECOND, 3 * SECOND);
    context.during(time, context.cluster.pause(host));
    context.cluster.marks.hit("process paused");
    return true;
  },

  /** The machine is suspended: its monotonic clock stands still, too. */
  suspend(context) {
    const host = context.pickRunning();
    if (host === undefined) return false;
    const resume = context.cluster.pause(host);
    const { rate } = host.clock;
    host.clock.setRate(0);
    context.during(context.duration(50 * MILLISECOND, 3 * SECOND), () => {
      host.clock.setRate(rate === 0 ? 1 : rate);
      resume();
      host.node?.wake();
    });
    return true;
  },

  clockDrift(context) {
    const { clockDrift } = context.cluster.swarm;
    for (const host of context.activeHosts()) {
      if (host.clock.rate === 0) continue;
      host.clock.setRate(1 - clockDrift + context.prng.fraction() * 2 * clockDrift);
      host.node?.wake();
    }
    return clockDrift > 0;
  },

  clockJump(context) {
    const host = context.pickRunning();
    if (host === undefined) return false;
    host.clock.jump(context.duration(10 * MILLISECOND, 5 * SECOND));
    host.node?.wake();
    return true;
  },

  crash(context) {
    const host = context.pickRunning();
    if (host === undefined) return false;
    crash(context, host);
    return true;
  },

  /** The whole room loses power, or most of it. */
  crashAll(context) {
    const running = context.prng.shuffle(context.runningHosts());
    const count = context.prng.chance(0.5)
      ? running.length
      : context.prng.below(running.length + 1);
    for (const host of running.slice(0, count))
      context.cluster.crashHost(host, "power", restartTime(context));
    if (count === running.length) context.cluster.marks.hit("all nodes crashed at once");
    return count > 0;
  },

  /** Dies exactly before, between or after the parts of one of its next writes. */
  crashAtBoundary(context) {
    const host = context.pickRunning();
    if (host === undefined) return false;
    const stage = context.prng.pick(["beforeWrite", "afterWrite", "afterSync"] as const);
    host.armed = { stage, countdown: context.prng.between(1, 6) };
    return true;
  },

  transfer(context) {
    const { configuration } = context.cluster.ledger;
    const transferee = context.prng.pick(configuration.voters).id;
    const byLeader = context.prng.chance(0.7);
    const host = byLeader ? context.leaderHost() : context.pickRunning();
    if (host === undefined) return false;
    context.cluster.preferredTarget = context.leaderHost()?.id;
    context.during(context.electionTimeout, () => {
      context.cluster.preferredTarget = undefined;
    });
    // Some cannot catch up, or hear of it; then it must be given up in time.
    const until = context.queue.now + context.electionTimeout * 1.5;
    if (context.prng.chance(0.3)) context.cluster.network.clog(host.id, transferee, until);
    return call(host, (core) => {
      core.transferLeadership(transferee);
    });
  },

  campaign(context) {
    const host = context.pickRunning();
    return (
      host !== undefined &&
      call(host, (core) => {
        core.campaign();
      })
    );
  },

  forgetLeader(context) {
    const host = context.pickRunning();
    return (
      host !== undefined &&
      call(host, (core) => {
        core.forgetLeader();
      })
    );
  },

  /** Snapshot and compact at the tip, now; and sometimes have none to give for a while. */
  snapshot(context) {
    const host = context.pickRunning();
    const node = host?.node;
    if (node === undefined) return false;
    node.takeSnapshot();
    if (context.prng.chance(0.3)) {
      node.storage.withholdsSnapshot = true;
      context.during(context.electionTimeout * 2 * context.prng.fraction(), () => {
        node.storage.withholdsSnapshot = false;
      });
    }
    return true;
  },
};

/** Kills a process, or the machine under it. */
export function crash(context: FaultContext, host: Host): void {
  const kind = context.prng.chance(0.6) ? "power" : "process";
  context.cluster.crashHost(host, kind, restartTime(context));
}

export function restartTime(context: FaultContext): number {
  return context.prng.chance(0.4)
    ? context.duration(MILLISECOND, 50 * MILLISECOND)
    : context.duration(50 * MILLISECOND, 3 * SECOND);
}

function call(host: Host, run: (core: RaftCore) => void): boolean {
  if (host.node === undefined) return false;
  host.node.receive({ kind: "call", run });
  return true;
}
