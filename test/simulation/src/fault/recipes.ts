/**
 * Faults in several steps, each the shortest way to a history that has broken real systems.
 *
 * They do not check anything: they only bring the group to where a bug would show.
 */

import { MILLISECOND } from "../engine/event-queue.ts";
import type { Host } from "../run/host.ts";
import type { Fault, FaultContext } from "./fault-context.ts";
import { isolate } from "./network-faults.ts";
import type { FaultKind } from "./swarm.ts";

type Recipe = Extract<FaultKind, "partKill" | "pauseKill" | "figure8" | "deposedReads">;

export const RECIPES: Readonly<Record<Recipe, Fault>> = {
  /**
   * Jepsen's part-kill: a minority is cut off while writes go on, a third node of the majority
   * loses power, then forms a majority with the minority alone. What was acknowledged before it was
   * synced is gone now.
   */
  partKill(context) {
    return trade(context, (host) => {
      context.cluster.crashHost(host, "power", context.electionTimeout * 0.5);
    });
  },

  pauseKill(context) {
    return trade(context, (host) => {
      context.during(context.electionTimeout * 2, context.cluster.pause(host));
    });
  },

  /**
   * Figure 8 of the paper, over and over: a leader reaches one follower only, dies, and comes back
   * to spread entries of a term that has passed.
   */
  figure8(context) {
    const rounds = context.prng.between(2, 6);
    for (let round = 0; round < rounds; round++)
      context.after(round * context.electionTimeout * 2.5, () => {
        beheadInMinority(context);
      });
    return context.leaderHost() !== undefined;
  },

  /**
   * A leader with reads under way is paused until it is deposed; what its followers had answered
   * arrives when it wakes up (etcd #20418).
   */
  deposedReads(context) {
    const leader = context.leaderHost();
    if (leader === undefined) return false;
    const { cluster, prng, electionTimeout } = context;
    cluster.preferredTarget = leader.id;
    const wakesAfter = electionTimeout * (1 + prng.fraction() * 3);
    const until = context.queue.now + wakesAfter;
    for (const peer of context.activeHosts())
      if (peer !== leader && prng.chance(0.7)) cluster.network.clog(peer.id, leader.id, until);
    context.after(prng.below(20 * MILLISECOND), () => {
      const resume = cluster.pause(leader);
      context.during(wakesAfter - prng.below(5 * MILLISECOND), resume);
      // It may also be cut off, so that only what is on its way already still arrives.
      if (prng.chance(0.4)) isolate(context, leader, { keeping: [], time: wakesAfter * 1.3 });
    });
    context.during(wakesAfter * 1.2, () => {
      cluster.preferredTarget = undefined;
    });
    return true;
  },
};

/** Cuts a minority off, hits a third party, then lets exactly those two form a majority. */
function trade(context: FaultContext, hit: (host: Host) => void): boolean {
  const { voters } = context.cluster.ledger.configuration;
  const hosts = context.prng.shuffle(
    context.activeHosts().filter(({ id }) => voters.some((voter) => voter.id === id)),
  );
  if (hosts.length < 3) return false;
  const size = Math.floor((hosts.length - 1) / 2);
  const first = hosts.slice(0, size);
  const middle = hosts[size] as Host;
  const second = hosts.slice(size + 1);
  const phase = context.electionTimeout * (1.5 + context.prng.fraction() * 2);
  for (const host of first) isolate(context, host, { keeping: first, time: phase });
  context.after(phase, () => {
    hit(middle);
    for (const host of second) isolate(context, host, { keeping: second, time: phase * 1.5 });
  });
  return true;
}

function beheadInMinority(context: FaultContext): void {
  const leader = context.leaderHost();
  if (leader === undefined) return;
  const { cluster, prng, electionTimeout } = context;
  const others = context.runningHosts().filter((host) => host !== leader);
  const confidant = others.length === 0 ? [] : [prng.pick(others)];
  const time = electionTimeout * (0.3 + prng.fraction() * 1.2);
  isolate(context, leader, { keeping: prng.chance(0.7) ? confidant : [], time });
  cluster.preferredTarget = leader.id;
  context.after(time * 0.9, () => {
    cluster.preferredTarget = undefined;
    const kind = prng.chance(0.5) ? "process" : "power";
    cluster.crashHost(leader, kind, electionTimeout * (0.2 + prng.fraction() * 3));
  });
}
