/** The simulated machines and what lies between them. Only here processes start and end. */

import {
  type Configuration,
  EMPTY_CONFIGURATION,
  type Loss,
  type Member,
  type Message,
  type NodeId,
  type Snapshot,
} from "@quorumlog/raft";
import { type Prng, required } from "@quorumlog/std";
import type { MemberDirectory } from "../check/member-directory.ts";
import type { Ledger } from "../check/ledger.ts";
import type { CrashKind, DiskImage } from "../engine/disk.ts";
import { type EventQueue, type Micros, MILLISECOND, SECOND } from "../engine/event-queue.ts";
import { HostClock } from "../engine/host-clock.ts";
import type { Marks } from "../engine/marks.ts";
import { exponential, Network, type SendOutcome } from "../engine/network.ts";
import { TRACE, type Trace } from "../engine/trace.ts";
import { hold } from "../engine/violation.ts";
import type { SwarmOptions } from "../fault/swarm.ts";
import type { RecoveredState } from "../node/node-storage.ts";
import type { NodeInput, WriteStage } from "../node/node-input.ts";
import type { NodeEnvironment, NodeWatcher } from "../node/node-environment.ts";
import { SimNode } from "../node/sim-node.ts";
import { StateMachine } from "../node/state-machine.ts";
import { describeMessage } from "./describe-message.ts";
import { Host } from "./host.ts";

/** A watcher that wants to know of lives, too. */
export interface ClusterWatcher extends NodeWatcher<SimNode> {
  onStart(node: SimNode): void;
  onStop(node: SimNode): void;
}

const BOOTSTRAP_TERM = 1;
const SNAPSHOT_TIMEOUT: Micros = 600 * MILLISECOND;

export class Cluster implements NodeEnvironment<SimNode>, MemberDirectory {
  readonly queue: EventQueue;
  readonly trace: Trace;
  readonly swarm: SwarmOptions;
  readonly marks: Marks;
  readonly prng: Prng;
  readonly network: Network;
  readonly hosts: readonly Host[];
  /** Sends one linearizable read to a host, beside those of the clients. */
  injectRead: (id: NodeId) => void = () => {};
  /** Whether the group goes on for sure if a host loses its power, and is suspect then. */
  mayForget: (host: Host) => boolean = () => true;
  /** Whether crashed hosts come back by themselves. */
  restarts = true;
  /** Kinds of messages lost on every link while a fault lasts; counted, as faults overlap. */
  readonly silenced: Map<Message["type"], number> = new Map();
  /** Where clients prefer to go while a fault lasts, whoever leads. */
  preferredTarget: NodeId | undefined;
  #watcher: ClusterWatcher | undefined;
  #ledger: Ledger | undefined;
  #lives = 0;

  constructor(init: {
    queue: EventQueue;
    trace: Trace;
    swarm: SwarmOptions;
    marks: Marks;
    prng: Prng;
  }) {
    this.queue = init.queue;
    this.trace = init.trace;
    this.swarm = init.swarm;
    this.marks = init.marks;
    this.prng = init.prng;
    this.network = new Network(init.queue, init.prng.fork(), init.swarm.network);
    const count = init.swarm.voterCount + init.swarm.spareCount;
    this.hosts = Array.from({ length: count }, (_, i) => {
      const clock = new HostClock(init.queue, this.prng.below(SECOND));
      const flush = init.swarm.disk.flushDelay === undefined ? "sync" : "async";
      return new Host(i + 1, clock, flush);
    });
  }

  get watcher(): ClusterWatcher {
    return required(this.#watcher, "a cluster is watched from its start");
  }

  get ledger(): Ledger {
    return required(this.#ledger, "a cluster has a ledger from its start");
  }

  /**
   * What the first members start with: a snapshot, so that whoever joins later learns of the
   * first configuration, too, which is in no log entry.
   */
  bootstrapSnapshot(): Snapshot {
    const lastIncludedIndex = this.prng.between(1, 12);
    const members = this.hosts.slice(0, this.swarm.voterCount);
    const configuration: Configuration = {
      ...EMPTY_CONFIGURATION,
      voters: members.map(({ id, incarnation }) => ({ id, incarnation })),
    };
    const { keyCount } = this.swarm.load;
    const machine = StateMachine.bootstrap(keyCount, lastIncludedIndex, BOOTSTRAP_TERM);
    const data = machine.snapshot();
    return { lastIncludedIndex, lastIncludedTerm: BOOTSTRAP_TERM, configuration, data };
  }

  /** Starts the first members. */
  bootstrap(snapshot: Snapshot, ledger: Ledger, watcher: ClusterWatcher): void {
    this.#ledger = ledger;
    this.#watcher = watcher;
    const commitIndex = snapshot.lastIncludedIndex;
    for (const host of this.hosts.slice(0, this.swarm.voterCount)) {
      const records = [
        { kind: "vote", currentTerm: BOOTSTRAP_TERM, votedFor: undefined },
        { kind: "install", snapshot },
        { kind: "commit", commitIndex },
      ] as const;
      host.disk.syncTo(host.disk.write(records));
      this.start(host);
    }
  }

  host(id: NodeId): Host {
    return required(this.hosts[id - 1], "hosts are numbered from 1");
  }

  node(id: NodeId): SimNode | undefined {
    return this.hosts[id - 1]?.node;
  }

  durable(member: Member): DiskImage | undefined {
    const host = this.hosts[member.id - 1];
    if (host === undefined) return undefined;
    if (host.incarnation === member.incarnation) return host.disk.durable;
    return host.lostDisks.get(member.incarnation);
  }

  hasForgotten(member: Member): boolean {
    return this.hosts[member.id - 1]?.forgotten.has(member.incarnation) === true;
  }

  lossCount(member: Member): number | undefined {
    const host = this.hosts[member.id - 1];
    return host?.incarnation === member.incarnation ? host.lossCount : undefined;
  }

  noteCleared(node: SimNode, loss: Loss): void {
    const host = this.host(node.id);
    host.note = { ...host.note, loss };
    this.watcher.onCleared(node, host.forgotten.get(host.incarnation) ?? []);
    host.forgotten.delete(host.incarnation);
  }

  /** The running leader of the highest term, if there is one. */
  leader(): SimNode | undefined {
    let leader: SimNode | undefined;
    let term = 0;
    for (const { node } of this.hosts) {
      if (node === undefined) continue;
      const status = node.lastStatus;
      if (status.role !== "leader" || status.currentTerm <= term) continue;
      leader = node;
      term = status.currentTerm;
    }
    return leader;
  }

  /** @param delay - Until the process runs; by default what reading and syncing its log takes. */
  start(host: Host, delay?: Micros): void {
    if (host.state === "up" || host.state === "recovering") return;
    host.state = "recovering";
    host.epoch += 1;
    const { epoch } = host;
    if (host.disk.isDamaged()) {
      // Below the synced mark nothing may be cut: there may be votes and committed entries. The
      // node comes back as another one, without a disk.
      this.marks.hit("corruption found at start");
      host.loseDisk();
    }
    host.disk.syncsUntilFailure = Number.POSITIVE_INFINITY;
    host.armed = undefined;
    const { syncMin, syncMean } = this.swarm.disk;
    const latency = syncMin + exponential(this.prng, syncMean) * host.disk.slowness;
    this.queue.schedule(delay ?? latency, () => {
      if (host.epoch === epoch) this.#finishStart(host);
    });
  }

  #finishStart(host: Host): void {
    // What kill -9 left in the page cache was read, so it must be made durable before it counts.
    if (host.disk.unsyncedCount > 0) this.marks.hit("recovered tail synced again");
    host.disk.syncTo(host.disk.written);
    host.disk.harden();
    const image = host.disk.durable.clone();
    const recovered = recoveredState(image);
    this.#lives += 1;
    if (host.incarnation > 1) this.marks.hit("returned under its old id after losing its disk");
    const { electionRanks, raft } = this.swarm;
    const electionRank = electionRanks[(host.id - 1) % electionRanks.length] ?? 0;
    const loss = host.begin();
    const node = new SimNode({
      id: host.id,
      loss,
      incarnation: host.incarnation,
      life: this.#lives,
      options: { ...raft, electionRank },
      recovered,
      disk: host.disk,
      clock: host.clock,
      prng: this.prng.fork(),
      environment: this,
    });
    host.node = node;
    host.state = "up";
    this.trace.event(TRACE.start, host.id, host.incarnation, recovered.hardState.currentTerm);
    this.trace.note(() => `start ${host.id}.${host.incarnation} ${describeRecovered(recovered)}`);
    this.watcher.onStart(node);
    node.wake();
  }

  crash(node: SimNode, kind: CrashKind, reason: string): void {
    this.marks.hit(`node stopped: ${reason}`);
    this.crashHost(this.host(node.id), kind, 50 * MILLISECOND + this.prng.below(2 * SECOND));
  }

  /** @param restartAfter - Of the crash; never, if it is infinite. */
  crashHost(host: Host, wanted: CrashKind, restartAfter: Micros): void {
    if (host.state !== "up" && host.state !== "recovering") return;
    const { node } = host;
    const kind = this.#canLosePower(host) ? wanted : "process";
    if (kind === "power") host.bootCount += 1;
    host.state = "down";
    host.epoch += 1;
    host.pauseCount = 0;
    host.node = undefined;
    this.trace.event(TRACE.crash, host.id, kind === "power" ? 1 : 0);
    this.trace.note(() => `crash ${host.id} (${kind})`);
    if (node !== undefined) {
      if (node.isInstalling) this.marks.hit("crash while a snapshot is installed");
      node.stop();
      this.watcher.onStop(node);
    }
    const { lostCount, forgotten } = host.disk.crash(kind, this.prng);
    if (lostCount > 0) this.marks.hit("crash lost writes that were not synced");
    if (forgotten !== undefined) {
      this.marks.hit("crash lost what was acknowledged");
      const former = host.forgotten.get(host.incarnation) ?? [];
      host.forgotten.set(host.incarnation, [...former, forgotten]);
    }
    if (kind === "process") this.#tellPeersOfEnd(host);
    const { epoch } = host;
    if (restartAfter === Number.POSITIVE_INFINITY) return;
    this.queue.schedule(restartAfter, () => {
      if (host.epoch === epoch && this.restarts) this.start(host);
    });
  }

  /** A majority that has lost its power has to ask its owner, who is not simulated. */
  #canLosePower(host: Host): boolean {
    const isAsync = this.swarm.disk.flushDelay !== undefined;
    return !isAsync || host.isSuspect || this.mayForget(host);
  }

  /** Connections to a dead process are reset, and dialling it again is refused. */
  #tellPeersOfEnd(host: Host): void {
    if (!this.swarm.driver.reportsPeerGone) return;
    for (const peer of this.hosts) {
      if (peer === host) continue;
      this.queue.schedule(this.prng.between(200, 5_000), () => {
        const isCutOff =
          this.network.link(host.id, peer.id).isBlocked ||
          this.network.link(peer.id, host.id).isBlocked;
        if (host.state !== "down" || isCutOff) return;
        peer.node?.receive({
          kind: "call",
          run: (core) => {
            core.reportPeerGone(host.id);
          },
        });
      });
    }
  }

  /** Stops a process for a while, as SIGSTOP does; the returned function lets it go on. */
  pause(host: Host): () => void {
    const { epoch, node } = host;
    if (node === undefined) return () => {};
    host.pauseCount += 1;
    node.isPaused = true;
    this.trace.note(() => `pause ${host.id}`);
    let isActive = true;
    return () => {
      if (!isActive || host.epoch !== epoch) return;
      isActive = false;
      host.pauseCount -= 1;
      if (host.isPaused || host.node === undefined) return;
      this.trace.note(() => `resume ${host.id}`);
      host.node.isPaused = false;
      host.node.wake();
    };
  }

  /** Ends all that is wrong with links, disks and clocks, other than what was lost. */
  calm(): void {
    this.network.heal();
    this.silenced.clear();
    this.preferredTarget = undefined;
    for (const host of this.hosts) {
      host.disk.slowness = 1;
      host.disk.stall = 0;
      host.clock.setRate(1);
      host.disk.syncsUntilFailure = Number.POSITIVE_INFINITY;
      host.armed = undefined;
      if (host.node === undefined) continue;
      host.node.storage.withholdsSnapshot = false;
      host.node.stallApply(0);
      host.node.storage.readsUntilFailure = Number.POSITIVE_INFINITY;
      host.node.wake();
    }
  }

  diesAt(node: SimNode, stage: WriteStage): boolean {
    const host = this.host(node.id);
    const { armed } = host;
    if (armed === undefined || armed.stage !== stage) return false;
    armed.countdown -= 1;
    if (armed.countdown > 0) return false;
    host.armed = undefined;
    this.crash(node, this.prng.chance(0.75) ? "power" : "process", `died ${stage}`);
    return true;
  }

  transmit(node: SimNode, message: Message): void {
    const isSnapshot = message.type === "InstallSnapshot";
    const path = {
      from: node.id,
      to: message.to,
      extraDelay: isSnapshot ? this.prng.below(40 * MILLISECOND) : 0,
    };
    const settle = isSnapshot ? this.#snapshotReporter(node, message.to) : undefined;
    const isSilenced = (this.silenced.get(message.type) ?? 0) > 0 && this.prng.chance(0.9);
    const send = (deliver: () => void): SendOutcome =>
      isSilenced ? "lost" : this.network.send(path, deliver);
    const outcome = send(() => {
      const isDelivered = this.#deliver(message);
      if (isDelivered) settle?.("finished");
      else if (this.swarm.driver.reportsUnreachable) this.#reportUnreachable(node, message.to);
    });
    this.trace.event(TRACE.send, node.id, message.to, message.term);
    this.trace.text(message.type);
    this.trace.note(() => `${outcome === "sent" ? "send" : outcome} ${describeMessage(message)}`);
    if (outcome === "sent") return;
    settle?.("failed");
    if (this.swarm.driver.reportsUnreachable && this.prng.chance(0.3))
      this.#reportUnreachable(node, message.to);
  }

  #deliver(message: Message): boolean {
    const receiver = this.hosts[message.to - 1]?.node;
    this.trace.event(TRACE.deliver, message.from, message.to, message.term);
    if (receiver === undefined) return false;
    receiver.receive({ kind: "message", message });
    return true;
  }

  #reportUnreachable(node: SimNode, id: NodeId): void {
    this.queue.schedule(this.prng.below(20 * MILLISECOND), () => {
      node.receive({
        kind: "call",
        run: (core) => {
          core.reportUnreachable(id);
        },
      });
    });
  }

  /** A transfer of a snapshot ends one way or the other, and its sender is told, once. */
  #snapshotReporter(node: SimNode, id: NodeId): (outcome: "finished" | "failed") => void {
    let isSettled = false;
    const settle = (outcome: "finished" | "failed"): void => {
      if (isSettled) return;
      isSettled = true;
      if (outcome === "failed") this.marks.hit("snapshot transfer failed");
      this.queue.schedule(this.prng.below(30 * MILLISECOND), () => {
        node.receive({
          kind: "call",
          run: (core) => {
            core.reportSnapshot(id, outcome);
          },
        });
      });
    };
    this.queue.schedule(SNAPSHOT_TIMEOUT, () => {
      settle("failed");
    });
    return settle;
  }

  /** A client's request reaches a host; returns false if nobody is there. */
  request(id: NodeId, input: NodeInput): boolean {
    const { node } = this.host(id);
    if (node === undefined) return false;
    node.receive(input);
    return true;
  }
}

function recoveredState(image: DiskImage): RecoveredState {
  const state = image.newestState();
  const appliedIndex = state?.lastIncludedIndex ?? 0;
  const { currentTerm, votedFor } = image.hardState;
  const { lastIndex } = image.log;
  hold(
    image.hardState.commitIndex <= Math.max(lastIndex, appliedIndex),
    "no commit index is durable before its entries",
    [],
    () => `commit index ${image.hardState.commitIndex}, last ${lastIndex}, applied ${appliedIndex}`,
  );
  // What is applied was committed, though that need not have been written.
  const commitIndex = Math.max(image.hardState.commitIndex, appliedIndex);
  return {
    hardState: { currentTerm, votedFor, commitIndex },
    log: image.log,
    configuration: state?.configuration ?? EMPTY_CONFIGURATION,
    snapshot: image.snapshot,
    state,
  };
}

function describeRecovered(recovered: RecoveredState): string {
  const { hardState, log, state } = recovered;
  const { currentTerm, votedFor, commitIndex } = hardState;
  return (
    `term=${currentTerm} vote=${votedFor ?? "-"} commit=${commitIndex} ` +
    `log=(${log.baseIndex},${log.lastIndex}] applied=${state?.lastIncludedIndex ?? 0}`
  );
}
