/**
 * Faults in several steps, each the shortest way to a history that has broken real systems.
 *
 * They do not check anything: they only bring the group to where a bug would show.
 */

import type { Host } from "../run/host.ts";
import type { Fault, FaultContext } from "./fault-context.ts";
import { isolate, silence } from "./network-faults.ts";
import type { FaultKind } from "./swarm.ts";

type Recipe = Extract<
  FaultKind,
  "partKill" | "pauseKill" | "figure8" | "staleWrites" | "voteStorm" | "overtake"
>;

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
   * One follower with a stalled disk is the only one that leader after leader reaches: its log is
   * rewritten again and again while the first write is still on its way (the ABA race of
   * asynchronous storage writes).
   */
  staleWrites(context) {
    const { cluster, prng, electionTimeout } = context;
    const victim = context.pickRunning();
    if (victim === undefined) return false;
    const rounds = prng.between(3, 8);
    const length = electionTimeout * (1.6 + prng.fraction() * 1.5);
    victim.disk.stall = length * (1 + prng.fraction() * rounds);
    context.during(rounds * length * 1.3, () => {
      victim.disk.stall = 0;
      cluster.preferredTarget = undefined;
    });
    for (let round = 0; round < rounds; round++)
      context.after(round * length, () => {
        const leader = context.leaderHost();
        if (leader === undefined || leader === victim) return;
        cluster.preferredTarget = leader.id;
        isolate(context, leader, { keeping: [victim], time: length * 0.9 });
      });
    return true;
  },

  /**
   * The leader, with the longest log, is cut off, and the others hold elections whose results get
   * lost: terms rise, and the only node that could be elected does not hear of them (etcd 3c7359d).
   */
  voteStorm(context) {
    const { cluster, prng, electionTimeout } = context;
    const leader = context.leaderHost();
    if (leader === undefined) return false;
    const time = electionTimeout * (4 + prng.fraction() * 6);
    cluster.preferredTarget = leader.id;
    isolate(context, leader, { keeping: [], time });
    silence(context, ["RequestVoteReply"], time);
    context.during(time, () => {
      cluster.preferredTarget = undefined;
    });
    return true;
  },

  /**
   * A follower that lags with applying, a change of membership among what it has not applied, is
   * cut off until the leader has compacted its log: the snapshot overtakes the entries.
   */
  overtake(context) {
    const { prng, electionTimeout } = context;
    const leader = context.leaderHost();
    const others = context.runningHosts().filter((host) => host !== leader);
    if (leader === undefined || others.length === 0) return false;
    const victim = prng.pick(others);
    const { node } = victim;
    node?.stallApply(electionTimeout * (3 + prng.fraction() * 4));
    context.operator.churn();
    const cutAfter = electionTimeout * (0.1 + prng.fraction() * 0.5);
    const cutFor = electionTimeout * (0.5 + prng.fraction());
    context.after(cutAfter, () => {
      isolate(context, victim, { keeping: [], time: cutFor });
    });
    context.after(cutAfter + cutFor * 0.8, () => {
      const storage = leader.node?.storage;
      leader.node?.takeSnapshot();
      if (storage === undefined || !prng.chance(0.3)) return;
      storage.withholdsSnapshot = true;
      context.during(electionTimeout, () => {
        storage.withholdsSnapshot = false;
      });
    });
    context.during(electionTimeout * 6, () => {
      node?.stallApply(0);
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
