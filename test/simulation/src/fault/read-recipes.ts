/**
 * Ways to have a leader read after it was deposed: linearizability stands or falls with them.
 *
 * In each, somebody else is elected and serves writes while the former leader does not hear of it,
 * and reads are sent to that one at the worst moment.
 */

import { type Micros, MILLISECOND } from "../engine/event-queue.ts";
import type { Host } from "../run/host.ts";
import type { Fault, FaultContext } from "./fault-context.ts";
import { isolate } from "./network-faults.ts";
import type { FaultKind } from "./swarm.ts";

type ReadRecipe = Extract<
  FaultKind,
  "deposedReads" | "transferReads" | "lateAnswers" | "leaseRestart"
>;

export const READ_RECIPES: Readonly<Record<ReadRecipe, Fault>> = {
  /**
   * A leader with reads under way is paused until it is deposed; what its followers had answered
   * arrives when it wakes up, and so do more reads (etcd #20418).
   */
  deposedReads(context) {
    const leader = context.leaderHost();
    if (leader === undefined) return false;
    const { cluster, prng, electionTimeout } = context;
    const heartbeat = cluster.swarm.raft.heartbeatTicks * cluster.swarm.tickMicros;
    const pausesAfter = heartbeat * (0.2 + prng.fraction() * 2);
    const wakesAfter = pausesAfter + electionTimeout * (1 + prng.fraction() * 3);
    const until = context.queue.now + wakesAfter;
    for (const peer of context.activeHosts())
      if (peer !== leader && prng.chance(0.85)) cluster.network.clog(peer.id, leader.id, until);
    context.after(pausesAfter, () => {
      const resume = cluster.pause(leader);
      context.during(wakesAfter - pausesAfter - prng.below(5 * MILLISECOND), resume);
      // It may also be cut off, so that only what is on its way already still arrives.
      if (prng.chance(0.3)) isolate(context, leader, { keeping: [], time: wakesAfter * 1.3 });
    });
    const reads = prng.between(3, 12);
    for (let i = 0; i < reads; i++)
      context.after(wakesAfter - prng.below(12 * MILLISECOND) + 4 * MILLISECOND, () => {
        cluster.injectRead(leader.id);
      });
    return true;
  },

  /** Leadership moves, and the former leader hears of it late: its lease must be over by itself. */
  transferReads(context) {
    const { cluster, prng, electionTimeout } = context;
    const leader = context.leaderHost();
    const { voters } = cluster.ledger.configuration;
    const others = context
      .runningHosts()
      .filter((host) => host !== leader && voters.some(({ id }) => id === host.id));
    if (leader?.node === undefined || others.length === 0) return false;
    const { id } = prng.pick(others);
    leader.node.receive({
      kind: "call",
      run: (core) => {
        core.transferLeadership(id);
      },
    });
    cluster.network.clog(id, leader.id, context.queue.now + electionTimeout * 1.2);
    sendWritesTo(context, id, electionTimeout);
    sendReads(context, leader, { from: electionTimeout * 0.1, to: electionTimeout });
    return true;
  },

  /**
   * Followers' answers take nearly an election timeout, and after them nothing reaches the leader:
   * a lease that is counted from the answer outlives its promise.
   */
  lateAnswers(context) {
    const { cluster, prng, electionTimeout } = context;
    const leader = context.leaderHost();
    if (leader === undefined) return false;
    const { heartbeatTicks } = cluster.swarm.raft;
    const heartbeat = heartbeatTicks * cluster.swarm.tickMicros;
    const answersAfter = electionTimeout * (0.6 + prng.fraction() * 0.35);
    const peers = context.activeHosts().filter((host) => host !== leader);
    const until = context.queue.now + answersAfter;
    for (const { id } of peers) cluster.network.clog(id, leader.id, until);
    context.after(heartbeat * (0.5 + prng.fraction()), () => {
      for (const { id } of peers)
        context.during(electionTimeout * 2.5, cluster.network.block(leader.id, id));
    });
    context.after(answersAfter + 8 * MILLISECOND, () => {
      for (const { id } of peers)
        context.during(electionTimeout * 2, cluster.network.block(id, leader.id));
    });
    sendReads(context, leader, { from: electionTimeout, to: electionTimeout * 2.3 });
    return true;
  },

  /**
   * Followers restart, and one of the others asks for their votes at once. They have forgotten whom
   * they had promised to stand by; the leader, cut off, has not.
   */
  leaseRestart(context) {
    const { cluster, prng, electionTimeout } = context;
    const leader = context.leaderHost();
    const followers = prng.shuffle(context.runningHosts().filter((host) => host !== leader));
    const candidate = followers[0];
    if (leader === undefined || candidate === undefined) return false;
    isolate(context, leader, { keeping: [], time: electionTimeout * 1.5 });
    for (const host of followers.slice(1)) cluster.crashHost(host, "process", MILLISECOND);
    for (let i = 1; i <= 4; i++)
      context.after(electionTimeout * 0.12 * i, () => {
        candidate.node?.receive({
          kind: "call",
          run: (core) => {
            core.campaign();
          },
        });
      });
    sendWritesTo(context, candidate.id, electionTimeout);
    sendReads(context, leader, { from: electionTimeout * 0.3, to: electionTimeout });
    return true;
  },
};

/** Clients turn to where the next leader is likely to be. */
function sendWritesTo(context: FaultContext, id: number, time: Micros): void {
  const { cluster } = context;
  cluster.preferredTarget = id;
  context.during(time, () => {
    cluster.preferredTarget = undefined;
  });
}

/** A dozen reads at moments in the window, counted from now. */
function sendReads(context: FaultContext, host: Host, window: { from: Micros; to: Micros }): void {
  for (let i = 0; i < 12; i++)
    context.after(window.from + (window.to - window.from) * context.prng.fraction(), () => {
      context.cluster.injectRead(host.id);
    });
}
