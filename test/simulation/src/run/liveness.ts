/**
 * The second half of a run (TigerBeetle's liveness mode): faults stop for a random *core* that has
 * a quorum; everybody else is switched off. The core must elect, commit and converge; then the
 * others come back, and all of them together.
 *
 *     core chosen, healed ──> idle convergence ──> a write, reads ──> all return ──> trials
 *
 * Convergence is first awaited without any write: a deadlock that the next write would end is a
 * bug.
 */

import { findMember, type LogIndex, type Member } from "@quorumlog/raft";
import type { Prng } from "@quorumlog/std";
import type { Oracle } from "../check/oracle.ts";
import { type FaultAtlas, hasQuorum } from "../fault/atlas.ts";
import { CalmTrials } from "./calm-trials.ts";
import type { Cluster } from "./cluster.ts";
import { Convergence } from "./convergence.ts";
import type { Host } from "./host.ts";
import { Probe } from "./probe.ts";

export class LivenessPhase {
  readonly #cluster: Cluster;
  readonly #atlas: FaultAtlas;
  readonly #oracle: Oracle;
  readonly #prng: Prng;
  readonly #convergence: Convergence;
  readonly #probe: Probe;
  readonly #trials: CalmTrials;

  constructor(init: { cluster: Cluster; atlas: FaultAtlas; oracle: Oracle; prng: Prng }) {
    const { cluster, prng } = init;
    this.#cluster = cluster;
    this.#atlas = init.atlas;
    this.#oracle = init.oracle;
    this.#prng = prng;
    const convergence = new Convergence(cluster, prng.fork());
    const probe = new Probe(cluster, init.oracle, convergence);
    this.#convergence = convergence;
    this.#probe = probe;
    this.#trials = new CalmTrials({ cluster, prng: prng.fork(), convergence, probe });
  }

  /** @throws Violation if the core does not get there in time. */
  run(): void {
    const core = this.#chooseCore();
    this.#convergence.hosts = core;
    this.#cluster.trace.note(() => `liveness core: ${core.map(({ id }) => id).join(" ")}`);
    this.#cluster.restarts = false;
    this.#cluster.calm();
    for (const host of this.#cluster.hosts)
      if (core.includes(host)) this.#cluster.start(host);
      else this.#cluster.crashHost(host, "power", Number.POSITIVE_INFINITY);
    this.#convergence.reach("an idle core converges");
    this.#probe.write();
    for (const host of this.#convergence.members()) this.#probe.read(host);
    this.#convergence.reach("the core converges after a write");
    this.#convergence.checkStates();
    this.#oracle.checkDurability(this.#durableIndex());
    this.#reunite();
    this.#trials.run();
    this.#oracle.checkDurability(this.#durableIndex());
  }

  /** The last index that a quorum of those who are up has on disk, in its log or as its state. */
  #durableIndex(): LogIndex {
    const { voters, votersOutgoing } = this.#cluster.ledger.configuration;
    const durable = (member: Member): LogIndex => {
      const { node, disk } = this.#cluster.host(member.id);
      if (node === undefined || !this.#atlas.hasItsDisk(member)) return 0;
      const { log } = disk.durable;
      return Math.max(log.lastIndex, disk.durable.newestState()?.lastIncludedIndex ?? 0);
    };
    const ofQuorum = (members: readonly Member[]): LogIndex =>
      members.length === 0
        ? Number.POSITIVE_INFINITY
        : (members.map(durable).sort((a, b) => b - a)[members.length >> 1] ?? 0);
    return Math.min(ofQuorum(voters), ofQuorum(votersOutgoing));
  }

  /** A random set of healthy hosts that has a quorum of every configuration that may matter. */
  #chooseCore(): Host[] {
    const required = this.#atlas.requiredConfigurations();
    const core = new Set(this.#cluster.hosts.filter((host) => this.#isWelcome(host)));
    const isPresent = (member: Member): boolean =>
      core.has(this.#cluster.host(member.id)) && this.#atlas.isHealthy(member);
    const isReliable = (member: Member): boolean =>
      isPresent(member) && !this.#atlas.hasLeft(member);
    const suffices = (isLeft: (member: Member) => boolean): boolean =>
      required.every((configuration) => hasQuorum(configuration, isLeft));
    const test = suffices(isReliable) ? isReliable : isPresent;
    if (!suffices(test)) throw new Error("the nemesis has destroyed a quorum");
    for (const host of this.#prng.shuffle([...core])) {
      if (this.#prng.chance(0.2)) continue;
      core.delete(host);
      if (!suffices(test)) core.add(host);
    }
    return [...core];
  }

  /**
   * Without pre-vote and check-quorum a removed server that does not know it may disturb the others
   * for ever (thesis §4.2.3). It is then nobody's fault if there is no peace.
   */
  #isWelcome(host: Host): boolean {
    if (!host.isIntact || host.state === "spare") return false;
    const { preVote, checkQuorum } = this.#cluster.swarm.raft;
    if (preVote && checkQuorum) return true;
    const required = this.#atlas.requiredConfigurations();
    return required.some((configuration) => findMember(configuration, host.id) !== undefined);
  }

  /** Everybody who may comes back, and finds a group that has moved on. */
  #reunite(): void {
    const welcome = this.#cluster.hosts.filter((host) => this.#isWelcome(host));
    for (const host of welcome) this.#cluster.start(host);
    this.#convergence.hosts = welcome;
    this.#convergence.reach("all converge when everybody is back");
  }
}
