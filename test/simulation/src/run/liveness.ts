/**
 * The second half of a run (TigerBeetle's liveness mode): faults stop for a random *core* that has
 * a quorum; everybody else is switched off for good. The core must elect, commit and converge.
 *
 *     quiet tail ──> core chosen, healed ──> idle convergence ──> a write, a read on each ──> done
 *
 * Convergence is first awaited without any write: a deadlock that the next write would end is a bug.
 */

import { findMember, isJoint, LEAVE_JOINT, type LogPosition, type Member } from "@quorumlog/raft";
import type { Prng } from "@quorumlog/std";
import type { Oracle } from "../check/oracle.ts";
import { type Micros, MILLISECOND, SECOND } from "../engine/event-queue.ts";
import { Violation } from "../engine/violation.ts";
import { type FaultAtlas, hasQuorum } from "../fault/atlas.ts";
import { encodeCommand } from "../node/command.ts";
import type { WriteAnswer } from "../node/request-desk.ts";
import type { SimNode } from "../node/sim-node.ts";
import type { Cluster } from "./cluster.ts";
import type { Host } from "./host.ts";

/** Client ids below this are those of the load. */
const PROBE_CLIENT = 1_000_000;
const STEP: Micros = 20 * MILLISECOND;

export class LivenessPhase {
  readonly #cluster: Cluster;
  readonly #atlas: FaultAtlas;
  readonly #oracle: Oracle;
  readonly #prng: Prng;
  #core: Host[] = [];
  #probes = 0;
  /** A quorum needs a node that knows it has left: see FaultAtlas.hasLeft. */
  #reliesOnLeft = false;

  constructor(init: { cluster: Cluster; atlas: FaultAtlas; oracle: Oracle; prng: Prng }) {
    this.#cluster = init.cluster;
    this.#atlas = init.atlas;
    this.#oracle = init.oracle;
    this.#prng = init.prng;
  }

  /** @throws Violation if the core does not get there in time. */
  run(): void {
    try {
      this.#run();
    } catch (error) {
      if (!(error instanceof Violation) || !this.#isWedged()) throw error;
      this.#cluster.marks.hit("known limit: a node that left outvotes all others");
    }
  }

  #run(): void {
    this.#core = this.#chooseCore();
    this.#cluster.trace.note(() => `liveness core: ${this.#core.map(({ id }) => id).join(" ")}`);
    this.#heal();
    this.#await("an idle core converges", () => this.#hasConverged());
    this.#probeWrite();
    for (const host of this.#members()) this.#probeRead(host);
    this.#await("the core converges after a write", () => this.#hasConverged());
    this.#checkStates();
    this.#oracle.checkDurability(this.#cluster.ledger.committedIndex);
  }

  /** A random set of healthy hosts that has a quorum of every configuration that may matter. */
  #chooseCore(): Host[] {
    const required = this.#atlas.requiredConfigurations();
    const core = new Set(
      this.#cluster.hosts.filter(
        (host) => host.isIntact && host.state !== "spare" && !this.#isDisruptive(host),
      ),
    );
    const isPresent = (member: Member): boolean =>
      core.has(this.#cluster.host(member.id)) && this.#atlas.isHealthy(member);
    const isReliable = (member: Member): boolean =>
      isPresent(member) && !this.#atlas.hasLeft(member);
    const suffices = (isLeft: (member: Member) => boolean): boolean =>
      required.every((configuration) => hasQuorum(configuration, isLeft));
    this.#reliesOnLeft = !suffices(isReliable);
    const test = this.#reliesOnLeft ? isPresent : isReliable;
    if (!suffices(test)) throw new Error("the nemesis has destroyed a quorum");
    for (const host of this.#prng.shuffle([...core])) {
      if (this.#prng.chance(0.3)) continue;
      core.delete(host);
      if (!suffices(test)) core.add(host);
    }
    return [...core];
  }

  /**
   * Without pre-vote and check-quorum a removed server that does not know it may disturb the others
   * for ever (thesis §4.2.3). It is then nobody's fault if there is no peace.
   */
  #isDisruptive(host: Host): boolean {
    const { preVote, checkQuorum } = this.#cluster.swarm.raft;
    if (preVote && checkQuorum) return false;
    const required = this.#atlas.requiredConfigurations();
    return required.every((configuration) => findMember(configuration, host.id) === undefined);
  }

  #heal(): void {
    const cluster = this.#cluster;
    cluster.restarts = false;
    cluster.calm();
    for (const host of cluster.hosts) {
      if (this.#core.includes(host)) {
        cluster.start(host);
        continue;
      }
      cluster.crashHost(host, "power", Number.POSITIVE_INFINITY);
      host.state = "retired";
    }
  }

  /** Whether a node that knows it has left has a longer log than everybody who could be elected. */
  #isWedged(): boolean {
    if (!this.#reliesOnLeft || this.#cluster.leader() !== undefined) return false;
    let leaver: LogPosition = { index: 0, term: 0 };
    let candidate: LogPosition = { index: 0, term: 0 };
    for (const host of this.#core) {
      if (host.node === undefined) continue;
      const { lastIndex: index, lastTerm: term } = host.node.issued;
      if (this.#atlas.hasLeft(host)) leaver = later(leaver, { index, term });
      else candidate = later(candidate, { index, term });
    }
    return later(leaver, candidate) === leaver;
  }

  /** Core hosts that are members of the latest configuration, on the disk they joined with. */
  #members(): Host[] {
    const { configuration } = this.#cluster.ledger;
    return this.#core.filter(
      ({ id, incarnation }) => findMember(configuration, id)?.incarnation === incarnation,
    );
  }

  #hasConverged(): boolean {
    const leader = this.#cluster.leader();
    if (leader === undefined) return false;
    const status = leader.lastStatus;
    if (isJoint(status.configuration)) {
      this.#maybeLeaveJoint(leader);
      return false;
    }
    if (status.commitIndex !== status.lastIndex) return false;
    return this.#members().every(({ node }) => {
      if (node === undefined) return false;
      const own = node.lastStatus;
      return (
        own.leaderId === leader.id &&
        own.currentTerm === status.currentTerm &&
        own.lastIndex === status.lastIndex &&
        node.machine.appliedIndex === status.lastIndex
      );
    });
  }

  /** One that does not leave by itself waits for somebody to say so. */
  #maybeLeaveJoint(leader: SimNode): void {
    const { configuration } = leader.lastStatus;
    if (configuration.autoLeave || !this.#prng.chance(0.1)) return;
    leader.receive({
      kind: "call",
      run: (core) => {
        core.proposeConfigurationChange(LEAVE_JOINT);
      },
    });
  }

  /** Generous: dozens of elections fit in, and a snapshot or two to each member. */
  get #patience(): Micros {
    const { raft, tickMicros } = this.#cluster.swarm;
    return raft.electionTicks * tickMicros * 60 + 20 * SECOND;
  }

  #await(goal: string, isReached: () => boolean): void {
    const { queue } = this.#cluster;
    const deadline = queue.now + this.#patience;
    while (!isReached()) {
      if (queue.now >= deadline)
        throw new Violation(
          "liveness",
          this.#core.map(({ id }) => id),
          `${goal}: it did not; ` + this.#describe(),
        );
      queue.runUntil(queue.now + STEP);
    }
  }

  #probeWrite(): void {
    this.#probes += 1;
    const client = PROBE_CLIENT;
    const operation = this.#oracle.invokeWrite({ client, serial: this.#probes, key: 0 });
    let isDone = false;
    let isUnderWay = false;
    const answer = (result: WriteAnswer): void => {
      isUnderWay = false;
      if (result.kind !== "applied") return;
      isDone = true;
      this.#oracle.onWriteAcknowledged(operation, result.result);
    };
    this.#await("a write commits on the core", () => {
      const leader = this.#cluster.leader();
      if (isDone || isUnderWay || leader === undefined) return isDone;
      isUnderWay = true;
      const attempt = this.#oracle.startAttempt(operation);
      const { serial, key, value } = operation;
      const bytes = encodeCommand({ client, serial, key, value, attempt }, 0);
      leader.receive({ kind: "write", request: { attempt, bytes, answer } });
      return false;
    });
  }

  #probeRead(host: Host): void {
    const { floor } = this.#oracle;
    let isDone = false;
    let isUnderWay = false;
    this.#await(`a read is served on ${host.id}`, () => {
      if (isDone || isUnderWay || host.node === undefined) return isDone;
      isUnderWay = true;
      const request = {
        key: 0,
        answer: (result: { kind: string; value?: number; index?: number }): void => {
          isUnderWay = false;
          if (result.value === undefined || result.index === undefined) return;
          isDone = true;
          const { value, index } = result;
          this.#oracle.onReadAcknowledged({ key: 0, floor, value, index });
        },
      };
      host.node.receive({ kind: "read", request });
      return false;
    });
  }

  /** Byte by byte. */
  #checkStates(): void {
    const truth = Buffer.from(this.#cluster.ledger.state);
    for (const { id, node } of this.#members()) {
      if (node !== undefined && truth.equals(node.machine.snapshot())) continue;
      throw new Violation("states are byte-identical at the end", [id], "they differ");
    }
  }

  #describe(): string {
    const committed = this.#cluster.ledger.committedIndex;
    const nodes = this.#core.map(({ id, incarnation, state, node }) => {
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

/** The more up-to-date of two ends of a log (paper §5.4.1); the second, if they are the same. */
function later(left: LogPosition, right: LogPosition): LogPosition {
  const isLeft = left.term === right.term ? left.index > right.index : left.term > right.term;
  return isLeft ? left : right;
}
