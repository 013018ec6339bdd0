/**
 * Whoever runs the cluster: adds, promotes, demotes, replaces and removes members, and cleans up
 * after lost disks. Careful in one respect only: no wish of its own may cost the group its quorum.
 */

import {
  type Configuration,
  type ConfigurationChange,
  findMember,
  LEAVE_JOINT,
  type Member,
  type MemberChange,
  type RaftCore,
  type Transition,
} from "@quorumlog/raft";
import type { Prng } from "@quorumlog/std";
import { leftConfiguration, nextConfiguration } from "../check/configuration-model.ts";
import type { Cluster } from "../run/cluster.ts";
import type { Host } from "../run/host.ts";
import { type FaultAtlas, hasQuorum } from "./atlas.ts";

const VOTER_COUNT_MAX = 7;

export class Operator {
  readonly #cluster: Cluster;
  readonly #atlas: FaultAtlas;
  readonly #prng: Prng;

  constructor(cluster: Cluster, atlas: FaultAtlas, prng: Prng) {
    this.#cluster = cluster;
    this.#atlas = atlas;
    this.#prng = prng;
  }

  /** Asks the leader for some change; returns whether there was one to ask. */
  churn(): boolean {
    const { configuration } = this.#cluster.ledger;
    return this.#propose(() => this.#pickChange(configuration));
  }

  /** Removes members whose disks are lost, or leaves a joint configuration that stays. */
  repair(): boolean {
    return this.#propose(() => this.#pickRepair(this.#cluster.ledger.configuration));
  }

  #propose(pick: () => ConfigurationChange | undefined): boolean {
    const leader = this.#cluster.leader();
    if (leader === undefined) return false;
    leader.receive({
      kind: "call",
      run: (core) => {
        const change = pick();
        if (change !== undefined && this.#isBearable(change)) this.#ask(core, change);
      },
    });
    return true;
  }

  #ask(core: RaftCore, change: ConfigurationChange): void {
    const result = core.proposeConfigurationChange(change);
    this.#cluster.marks.hit(`configuration change ${result.status}`);
    this.#cluster.trace.note(() => {
      const list = change.changes.map(
        ({ operation, member }) => `${operation} ${member.id}.${member.incarnation}`,
      );
      return `operator: ${change.transition} [${list.join(", ")}] ${result.status}`;
    });
    if (result.status !== "appended") return;
    for (const { operation, member } of change.changes) {
      const host = this.#cluster.host(member.id);
      if (operation !== "remove" && host.state === "spare") this.#cluster.start(host);
    }
  }

  /** Whether healthy members would decide before, during and after the change. */
  #isBearable(change: ConfigurationChange): boolean {
    const { configuration } = this.#cluster.ledger;
    const next = nextConfiguration(configuration, change);
    // What does not fit is proposed, too: it must be refused, or change nothing.
    if (next === undefined) return true;
    if (next.voters.length > VOTER_COUNT_MAX) return false;
    const isHealthy = (member: Member): boolean => this.#isPresent(member, change);
    // A core that validates refuses a second change by itself, and must be given the occasion.
    const isAlone = this.#cluster.swarm.raft.validateConfigurationChanges;
    return (
      (isAlone || this.#atlas.pending().length === 0) &&
      hasQuorum(next, isHealthy) &&
      hasQuorum(leftConfiguration(next), isHealthy) &&
      this.#atlas.survivesWithout(undefined)
    );
  }

  /** Healthy, or a spare that this very change brings in. */
  #isPresent(member: Member, change: ConfigurationChange): boolean {
    if (this.#atlas.isHealthy(member)) return true;
    const host = this.#cluster.host(member.id);
    const isJoining = change.changes.some(
      (each) => each.operation !== "remove" && each.member.id === member.id,
    );
    return isJoining && host.state === "spare" && host.incarnation === member.incarnation;
  }

  #pickRepair(configuration: Configuration): ConfigurationChange | undefined {
    if (configuration.votersOutgoing.length > 0)
      return configuration.autoLeave ? undefined : LEAVE_JOINT;
    const { voters, learners } = configuration;
    for (const member of [...voters, ...learners]) {
      const host = this.#cluster.host(member.id);
      if (host.incarnation === member.incarnation) continue;
      this.#cluster.marks.hit("member with a lost disk removed");
      return this.#single({ operation: "remove", member });
    }
    return undefined;
  }

  #pickChange(configuration: Configuration): ConfigurationChange | undefined {
    if (configuration.votersOutgoing.length > 0 && this.#prng.chance(0.7)) return LEAVE_JOINT;
    const count = this.#prng.chance(0.6) ? 1 : this.#prng.between(2, 5);
    const changes: MemberChange[] = [];
    for (let i = 0; i < count; i++) {
      const change = this.#pickMemberChange(configuration);
      if (change !== undefined) changes.push(change);
    }
    const [first] = changes;
    if (first === undefined) return undefined;
    if (changes.length === 1 && this.#prng.chance(0.6)) return this.#single(first);
    const transition = this.#prng.pick<Transition>(["auto", "auto", "implicit", "explicit"]);
    return { form: "set", transition, changes };
  }

  #pickMemberChange(configuration: Configuration): MemberChange | undefined {
    const { voters, learners } = configuration;
    const outsiders = this.#cluster.hosts.filter(
      ({ id }) => findMember(configuration, id) === undefined,
    );
    const isSmall = voters.length < 3;
    const wish = this.#prng.below(isSmall ? 60 : 100);
    if (wish < 25) return this.#join(outsiders, "addLearner");
    if (wish < 35) return this.#join(outsiders, "addVoter");
    if (wish < 60) {
      const ready = learners.filter((member) => this.#atlas.isHealthy(member));
      return this.#change(ready, "addVoter");
    }
    if (wish < 75) return this.#change(voters, "addLearner");
    if (wish < 90) return this.#change(voters, "remove");
    return this.#change(learners, "remove");
  }

  #join(hosts: readonly Host[], operation: "addLearner" | "addVoter"): MemberChange | undefined {
    if (hosts.length === 0) return undefined;
    const { id, incarnation } = this.#prng.pick(hosts);
    return { operation, member: { id, incarnation } };
  }

  #change(
    members: readonly Member[],
    operation: MemberChange["operation"],
  ): MemberChange | undefined {
    if (members.length === 0) return undefined;
    return { operation, member: this.#prng.pick(members) };
  }

  #single(change: MemberChange): ConfigurationChange {
    return { form: "single", transition: "auto", changes: [change] };
  }
}
