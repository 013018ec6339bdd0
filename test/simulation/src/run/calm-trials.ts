/**
 * What a healthy group owes its users, tried in calm weather, after everybody has come back: a node
 * that is cut off, paused or restarted must not cost the others their leader, a leader without a
 * quorum must step down, a transfer must work, a cold start must end in a leader, and a newcomer
 * must catch up without any write to push it.
 */

import { findMember, type MemberOperation, type NodeId } from "@quorumlog/raft";
import type { Prng } from "@quorumlog/std";
import type { Micros } from "../engine/event-queue.ts";
import { hold } from "../engine/violation.ts";
import type { SimNode } from "../node/sim-node.ts";
import type { Cluster } from "./cluster.ts";
import type { Convergence } from "./convergence.ts";
import type { Host } from "./host.ts";
import type { Probe } from "./probe.ts";

export class CalmTrials {
  readonly #cluster: Cluster;
  readonly #prng: Prng;
  readonly #convergence: Convergence;
  readonly #probe: Probe;

  constructor(init: { cluster: Cluster; prng: Prng; convergence: Convergence; probe: Probe }) {
    this.#cluster = init.cluster;
    this.#prng = init.prng;
    this.#convergence = init.convergence;
    this.#probe = init.probe;
  }

  /** All hosts are up and have converged. @throws Violation */
  run(): void {
    // Links as good as they get: what is tried is the protocol, not its patience.
    for (const from of this.#cluster.hosts)
      for (const to of this.#cluster.hosts)
        this.#cluster.network.link(from.id, to.id).quality = {
          delayMin: 300,
          delayMean: 0,
          loss: 0,
          duplication: 0,
        };
    // What a clogged link had held back would still fill its queue.
    this.#cluster.queue.runUntil(this.#cluster.network.lastArrival);
    this.#convergence.reach("all converge when no old message is left");
    this.#keepLeader();
    this.#dethrone();
    this.#transfer();
    this.#transferInVain();
    this.#coldStart();
    this.#admit();
    this.#probe.write();
    this.#convergence.reach("all converge in the end");
    this.#convergence.checkStates();
  }

  get #electionTimeout(): Micros {
    const { raft, tickMicros } = this.#cluster.swarm;
    return raft.electionTicks * tickMicros;
  }

  #wait(time: Micros): void {
    this.#cluster.queue.runUntil(this.#cluster.queue.now + Math.round(time));
  }

  #leader(): SimNode {
    const leader = this.#cluster.leader();
    if (leader === undefined) throw new Error("a group that has converged has a leader");
    return leader;
  }

  /** Voters that are up, other than the leader. */
  #followers(): Host[] {
    const { configuration } = this.#cluster.ledger;
    const leader = this.#leader();
    return this.#convergence
      .members()
      .filter(({ id }) => id !== leader.id && configuration.voters.some((each) => each.id === id));
  }

  /** Whether those voters that are up are a majority even if `count` of them were not. */
  #canSpare(count: number): boolean {
    const { voters } = this.#cluster.ledger.configuration;
    // A leader that was demoted may lead on, and does not count itself (thesis §4.2.2).
    const own = voters.some(({ id }) => id === this.#leader().id) ? 1 : 0;
    return (this.#followers().length + own - count) * 2 > voters.length;
  }

  /** A follower is cut off or paused, and returns: whoever leads a quorum goes on leading. */
  #keepLeader(): void {
    const followers = this.#followers();
    if (followers.length === 0 || !this.#canSpare(1)) return;
    const host = this.#prng.pick(followers);
    const { id, lastStatus } = this.#leader();
    const { preVote, checkQuorum } = this.#cluster.swarm.raft;
    const time = this.#electionTimeout * (2 + this.#prng.fraction() * 4);
    const how = this.#prng.pick(["paused", "cut off", "cut off from the leader"] as const);
    this.#cluster.trace.note(() => `trial: ${host.id} is ${how}`);
    const undo = how === "paused" ? this.#cluster.pause(host) : this.#cut(host, how, id);
    // What it misses now is why nobody would vote for it, lease or not.
    const before = this.#cluster.queue.now;
    this.#probe.write();
    const isBehind = this.#cluster.queue.now - before < this.#electionTimeout / 2;
    this.#wait(time);
    undo();
    this.#wait(this.#electionTimeout * 3);
    // Without pre-vote it has raised the term meanwhile.
    const isPromised = how === "paused" || (preVote && (checkQuorum || isBehind));
    const now = this.#cluster.leader();
    hold(
      !isPromised || (now?.id === id && now.lastStatus.currentTerm === lastStatus.currentTerm),
      "a leader with a quorum stays",
      [id, host.id],
      () =>
        `${host.id} was ${how}; ${id} led in term ${lastStatus.currentTerm}, now ` +
        `${now?.id ?? "nobody"} in term ${now?.lastStatus.currentTerm ?? "-"}`,
    );
    this.#convergence.reach(`all converge after ${host.id} was ${how}`);
  }

  #cut(host: Host, how: "cut off" | "cut off from the leader", leaderId: NodeId): () => void {
    const peers = this.#cluster.hosts.filter(
      (peer) => peer !== host && (how === "cut off" || peer.id === leaderId),
    );
    const undos = peers.flatMap((peer) => [
      this.#cluster.network.block(host.id, peer.id),
      this.#cluster.network.block(peer.id, host.id),
    ]);
    return () => {
      for (const undo of undos) undo();
    };
  }

  /** The leader is cut off: it steps down, and the others elect another. */
  #dethrone(): void {
    if (!this.#canSpare(1) || this.#followers().length === 0) return;
    const former = this.#leader();
    const undo = this.#cut(this.#cluster.host(former.id), "cut off", former.id);
    this.#cluster.trace.note(() => `trial: leader ${former.id} is cut off`);
    this.#convergence.await("the others elect a leader", () => {
      const leader = this.#cluster.leader();
      return leader !== undefined && leader !== former;
    });
    this.#wait(this.#electionTimeout * 3);
    const { checkQuorum } = this.#cluster.swarm.raft;
    hold(
      !checkQuorum || former.lastStatus.role !== "leader",
      "a leader without a quorum steps down",
      [former.id],
      () => `${former.id} still leads in term ${former.lastStatus.currentTerm}`,
    );
    undo();
    this.#convergence.reach("all converge after the leader was cut off");
  }

  /** Leadership goes where it is sent. */
  #transfer(): void {
    const followers = this.#followers();
    if (followers.length === 0) return;
    const { id } = this.#prng.pick(followers);
    const leader = this.#leader();
    this.#cluster.trace.note(() => `trial: transfer from ${leader.id} to ${id}`);
    leader.receive({
      kind: "call",
      run: (core) => {
        core.transferLeadership(id);
      },
    });
    this.#wait(this.#electionTimeout * 2);
    hold(
      this.#cluster.leader()?.id === id,
      "a transfer in calm weather succeeds",
      [leader.id, id],
      () => `from ${leader.id} to ${id}: ${this.#cluster.leader()?.id ?? "nobody"} leads`,
    );
    this.#convergence.reach("all converge after a transfer");
  }

  /** A transfer to somebody who is gone is given up, and what was parked meanwhile goes on. */
  #transferInVain(): void {
    const followers = this.#followers();
    if (followers.length === 0 || !this.#canSpare(1)) return;
    const host = this.#prng.pick(followers);
    const leader = this.#leader();
    this.#cluster.trace.note(() => `trial: transfer from ${leader.id} to ${host.id}, cut off`);
    const undo = this.#cut(host, "cut off", leader.id);
    leader.receive({
      kind: "call",
      run: (core) => {
        core.transferLeadership(host.id);
      },
    });
    this.#wait(this.#electionTimeout * this.#prng.fraction());
    this.#probe.write();
    undo();
    this.#convergence.reach("all converge after a transfer in vain");
  }

  /** Everybody starts in the same instant: only chance can keep them from splitting every vote. */
  #coldStart(): void {
    this.#cluster.trace.note(() => "trial: cold start");
    const hosts = [...this.#convergence.hosts];
    for (const host of hosts) this.#cluster.crashHost(host, "power", Number.POSITIVE_INFINITY);
    for (const host of hosts) this.#cluster.start(host, 0);
    this.#convergence.reach("all converge after a cold start");
  }

  /** A newcomer meets a log that is compacted to its very end, and nobody writes. */
  #admit(): void {
    const { ledger, hosts } = this.#cluster;
    const newcomer = hosts.find(({ id }) => findMember(ledger.configuration, id) === undefined);
    if (newcomer === undefined || ledger.configuration.voters.length >= 7) return;
    this.#leader().takeSnapshot();
    this.#wait(this.#electionTimeout);
    this.#change("addLearner", newcomer);
    this.#convergence.reach("a newcomer catches up without a write");
    this.#change("addVoter", newcomer);
    this.#convergence.reach("all converge after a promotion");
  }

  #change(operation: MemberOperation, host: Host): void {
    this.#cluster.start(host);
    const { id, incarnation } = host;
    this.#cluster.trace.note(() => `trial: ${operation} ${id}.${incarnation}`);
    if (!this.#convergence.hosts.includes(host))
      this.#convergence.hosts = [...this.#convergence.hosts, host];
    const { configuration } = this.#cluster.ledger;
    this.#convergence.await(`${operation} commits`, () => {
      if (this.#cluster.ledger.configuration !== configuration) return true;
      const change = { operation, member: { id, incarnation } };
      this.#cluster.leader()?.receive({
        kind: "call",
        run: (core) => {
          if (this.#cluster.ledger.configuration === configuration)
            core.proposeConfigurationChange({
              form: "single",
              transition: "auto",
              changes: [change],
            });
        },
      });
      return false;
    });
  }
}
