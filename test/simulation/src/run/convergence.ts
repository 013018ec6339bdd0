/** Waiting for a group in calm weather to become one: one leader, one log, one state. */

import { findMember, isJoint, LEAVE_JOINT } from "@quorumlog/raft";
import type { Prng } from "@quorumlog/std";
import { type Micros, MILLISECOND, SECOND } from "../engine/event-queue.ts";
import { Violation } from "../engine/violation.ts";
import type { SimNode } from "../node/sim-node.ts";
import type { Cluster } from "./cluster.ts";
import type { Host } from "./host.ts";

const STEP: Micros = 20 * MILLISECOND;
/** How long a member may take to catch up, as long as it goes on. */
const CATCH_UP_MAX: Micros = 20 * SECOND;

export class Convergence {
  readonly #cluster: Cluster;
  readonly #prng: Prng;
  /** The hosts that are up, and stay up. */
  hosts: readonly Host[] = [];

  constructor(cluster: Cluster, prng: Prng) {
    this.#cluster = cluster;
    this.#prng = prng;
  }

  /** Those of the hosts that are members now, on the disk they joined with. */
  members(): Host[] {
    const { configuration } = this.#cluster.ledger;
    return this.hosts.filter(
      ({ id, incarnation }) => findMember(configuration, id)?.incarnation === incarnation,
    );
  }

  /** @throws Violation if the members do not converge in time. */
  reach(goal: string): void {
    this.await(goal, () => this.isReached());
  }

  isReached(): boolean {
    const leader = this.#cluster.leader();
    if (leader === undefined) return false;
    const status = leader.lastStatus;
    if (isJoint(status.configuration)) {
      this.#maybeLeaveJoint(leader);
      return false;
    }
    if (status.commitIndex !== status.lastIndex) return false;
    return this.members().every(({ node }) => {
      if (node === undefined) return false;
      const own = node.lastStatus;
      return (
        own.leaderId === leader.id &&
        own.currentTerm === status.currentTerm &&
        own.lastIndex === status.lastIndex &&
        node.unansweredReadCount === 0 &&
        node.machine.appliedIndex === status.lastIndex
      );
    });
  }

  /** @throws Violation if `isReached` does not come true in time. */
  await(goal: string, isReached: () => boolean): void {
    const { queue } = this.#cluster;
    const last = queue.now + this.#patience + CATCH_UP_MAX;
    let deadline = queue.now + this.#patience;
    let applied = this.#appliedCount();
    while (!isReached()) {
      this.#maybeRetireLeader();
      // Whoever catches up slowly is given the time; whoever stands still is not.
      const now = this.#appliedCount();
      if (now > applied) deadline = Math.min(last, queue.now + this.#patience);
      applied = now;
      if (queue.now >= deadline) {
        const ids = this.hosts.map(({ id }) => id);
        throw new Violation("liveness", ids, `${goal}: it did not; ${this.#describe()}`);
      }
      queue.runUntil(queue.now + STEP);
    }
  }

  /** Byte by byte. */
  checkStates(): void {
    const truth = Buffer.from(this.#cluster.ledger.state);
    for (const { id, node } of this.members()) {
      if (node !== undefined && truth.equals(node.machine.snapshot())) continue;
      throw new Violation("states are byte-identical at the end", [id], "they differ");
    }
  }

  /** One that does not leave by itself waits for somebody to say so. */
  #maybeLeaveJoint(leader: SimNode): void {
    if (leader.lastStatus.configuration.autoLeave || !this.#prng.chance(0.1)) return;
    leader.receive({
      kind: "call",
      run: (core) => {
        core.proposeConfigurationChange(LEAVE_JOINT);
      },
    });
  }

  /** One that was removed and does not step down by itself waits for somebody to stop it. */
  #maybeRetireLeader(): void {
    if (this.#cluster.swarm.raft.stepDownOnRemoval) return;
    const leader = this.#cluster.leader();
    if (leader === undefined || !this.#prng.chance(0.1)) return;
    if (findMember(leader.lastStatus.configuration, leader.id) !== undefined) return;
    this.#cluster.trace.note(() => `${leader.id} leads, and is no member: it is stopped`);
    this.#cluster.crashHost(this.#cluster.host(leader.id), "process", Number.POSITIVE_INFINITY);
  }

  #appliedCount(): number {
    return this.hosts.reduce((sum, { node }) => sum + (node?.machine.appliedIndex ?? 0), 0);
  }

  /** Generous: dozens of elections fit in, and a snapshot. */
  get #patience(): Micros {
    const { raft, tickMicros } = this.#cluster.swarm;
    return raft.electionTicks * tickMicros * 60 + 5 * SECOND;
  }

  #describe(): string {
    const committed = this.#cluster.ledger.committedIndex;
    const nodes = this.hosts.map(({ id, incarnation, state, node }) => {
      if (node === undefined) return `${id}: ${state}`;
      const { role, currentTerm, leaderId, lastIndex, commitIndex } = node.lastStatus;
      return (
        `${id}.${incarnation}: ${role} term=${currentTerm} leader=${leaderId ?? "-"} ` +
        `last=${lastIndex} commit=${commitIndex} applied=${node.machine.appliedIndex}`
      );
    });
    return `committed=${committed}; ${nodes.join("; ")}`;
  }
}
