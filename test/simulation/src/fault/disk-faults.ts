/** Faults of disks. Those that lose one are limited by the atlas. */

import { MILLISECOND, SECOND } from "../engine/event-queue.ts";
import type { Host } from "../run/host.ts";
import type { Fault, FaultContext } from "./fault-context.ts";
import { crash, restartTime } from "./process-faults.ts";
import type { FaultKind } from "./swarm.ts";

type DiskFault = Extract<
  FaultKind,
  "failedSync" | "failedRead" | "slowDisk" | "stalledDisks" | "stalledApply" | "bitRot" | "wipe"
>;

export const DISK_FAULTS: Readonly<Record<DiskFault, Fault>> = {
  /** One of the next syncs fails: the node must stop, and answer nothing that rode on it. */
  failedSync(context) {
    const host = context.pickRunning();
    if (host === undefined) return false;
    host.disk.syncsUntilFailure = context.prng.below(8);
    return true;
  },

  failedRead(context) {
    const host = context.pickRunning();
    if (host?.node === undefined) return false;
    host.node.storage.readsUntilFailure = context.prng.below(5);
    return true;
  },

  slowDisk(context) {
    const host = context.pickRunning();
    if (host === undefined) return false;
    host.disk.slowness = context.prng.pick([5, 30, 150]);
    context.during(context.duration(200 * MILLISECOND, 4 * SECOND), () => {
      host.disk.slowness = 1;
    });
    return true;
  },

  /** Syncs outlast elections, on one host or a few: what is written is overtaken meanwhile. */
  stalledDisks(context) {
    const running = context.prng.shuffle(context.runningHosts());
    const stalled = running.slice(0, context.prng.between(1, 4));
    const time = context.electionTimeout * (2 + context.prng.fraction() * 8);
    for (const { disk } of stalled) {
      disk.stall = context.electionTimeout * (0.3 + context.prng.fraction() * 4);
      context.during(time, () => {
        disk.stall = 0;
      });
    }
    return stalled.length > 0;
  },

  /** State machines lag behind what is committed. */
  stalledApply(context) {
    const running = context.prng.shuffle(context.runningHosts());
    const stalled = running.slice(0, context.prng.between(1, 4));
    for (const { node } of stalled) {
      node?.stallApply(context.electionTimeout * (0.3 + context.prng.fraction() * 3));
      context.during(context.electionTimeout * (1 + context.prng.fraction() * 6), () => {
        node?.stallApply(0);
      });
    }
    return stalled.length > 0;
  },

  /** A bit flips below the synced mark; found at the next read of that entry, or the next start. */
  bitRot(context) {
    const host = pickExpendable(context);
    if (host === undefined) return false;
    const { log } = host.disk.durable;
    const isHeader = log.lastIndex === log.baseIndex || context.prng.chance(0.2);
    host.disk.rot(isHeader ? 0 : context.prng.between(log.baseIndex + 1, log.lastIndex + 1));
    if (!host.disk.isDamaged()) return false;
    context.cluster.marks.hit("bit rot");
    if (context.prng.chance(0.7))
      context.after(context.duration(MILLISECOND, SECOND), () => {
        crash(context, host);
      });
    return true;
  },

  /** The disk is lost. The host returns under its old id, as somebody else, and must do no harm. */
  wipe(context) {
    const host = pickExpendable(context);
    if (host === undefined) return false;
    context.cluster.crashHost(host, "power", restartTime(context));
    host.loseDisk();
    context.cluster.marks.hit("disk wiped");
    return true;
  },
};

/** A host whose disk the group can do without, for ever. */
function pickExpendable(context: FaultContext): Host | undefined {
  const candidates = context.activeHosts().filter((host) => host.isIntact);
  const host = candidates.length === 0 ? undefined : context.prng.pick(candidates);
  return host !== undefined && context.atlas.survivesWithout(host) ? host : undefined;
}
