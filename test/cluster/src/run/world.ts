/** One cluster with its clients and its checkers, on one queue of events. */

import { SegmentLogStore } from "@quorumlog/log";
import type { OperationEvent } from "@quorumlog/log/testing";
import type { Message } from "@quorumlog/raft";
import { findMember } from "@quorumlog/raft";
import type { ReplicaEvent } from "@quorumlog/replica";
import { Prng } from "@quorumlog/std";
import { MemoryNetwork } from "@quorumlog/transport/testing";
import { Images } from "../check/images.ts";
import { Ledger } from "../check/ledger.ts";
import { Promises } from "../check/promises.ts";
import { Attempts } from "../client/attempt.ts";
import { Client } from "../client/client.ts";
import { Reader } from "../client/reader.ts";
import { EventQueue } from "../engine/event-queue.ts";
import type { Story } from "../engine/story.ts";
import { hold, Violation } from "../engine/violation.ts";
import { ForgettingBudget } from "../fault/forgetting-budget.ts";
import type { Swarm } from "../fault/swarm.ts";
import { type DiskFault, SNAPSHOTS } from "../node/simulated-disk.ts";
import { type CrashKind, namesFile, type NodeWatch, SimNode } from "../node/sim-node.ts";
import { spoiledMemory } from "../node/spoiled-memory.ts";

export class World implements NodeWatch {
  readonly queue: EventQueue;
  readonly prng: Prng;
  readonly story: Story;
  readonly swarm: Swarm;
  readonly network: MemoryNetwork;
  readonly nodes: Map<number, SimNode> = new Map<number, SimNode>();
  readonly ledger: Ledger;
  readonly promises: Promises = new Promises();
  readonly images: Images = new Images();
  readonly attempts: Attempts;
  readonly clients: readonly Client[];
  readonly readers: readonly Reader[];
  /** The first that was found, wherever it was swallowed after that. */
  violation: Violation | undefined;
  /** Whose disk holds damage that was done to it, and may not have been found yet. */
  readonly damaged: Set<number> = new Set<number>();
  /** Those of them whose damage lies below what the log says itself was synced. */
  readonly provable: Set<number> = new Set<number>();
  /** Whose sealed segments were damaged, and when: it mends itself. */
  readonly rotten: Map<number, number> = new Map<number, number>();
  /** How often in a row nobody had what a node lacks that runs. */
  readonly vainRepairs: Map<number, number> = new Map<number, number>();
  /** In how many rounds nobody gave a node what it lacks to open. */
  readonly vainRounds: Map<number, number> = new Map<number, number>();
  /** Who could not be repaired, and why, until somebody has seen to that. */
  readonly refused: Map<number, Error> = new Map<number, Error>();
  /** Who is back with less than it had promised, as damage passed for a torn write. */
  readonly forgetful: Set<number> = new Set<number>();
  /** Whose disk was lost, or is to be: not a member again before it was added anew. */
  readonly lost: Set<number> = new Set<number>();
  /** Whether members are being changed, or it is not known. */
  isChanging: () => boolean = () => false;
  readonly #forgetting: ForgettingBudget;
  readonly #pausedAt = new Map<number, number>();
  readonly #sessions = new Set<number>();
  #lastContainer = 0;
  /** By node: where its log began when it was looked at last. */
  readonly #bases = new Map<number, number>();

  constructor(init: { queue: EventQueue; prng: Prng; story: Story; swarm: Swarm }) {
    const { queue, prng, swarm } = init;
    this.queue = queue;
    this.prng = prng;
    this.story = init.story;
    this.swarm = swarm;
    this.attempts = new Attempts(queue);
    this.ledger = new Ledger(init.story);
    this.network = new MemoryNetwork({
      scheduler: queue,
      prng: prng.fork(),
      latencyMs: swarm.latencyMs,
      memory: spoiledMemory(),
      limits: { silenceMs: 1_000, pingMs: 250, redialMsMax: 300 },
    });
    const founders = Array.from({ length: swarm.founders }, (_, i) => i + 1);
    for (let nodeId = 1; nodeId <= swarm.founders + swarm.spares; nodeId++)
      this.nodes.set(
        nodeId,
        new SimNode({
          nodeId,
          founders,
          queue,
          prng: prng.fork(),
          network: this.network,
          tuning: swarm.tuning,
          retention: swarm.retention,
          ballastBytes: swarm.ballastBytes,
          snapshotSlowness: swarm.snapshotSlowness,
          cutChance: swarm.cutChance,
          leaseReads: swarm.leaseReads,
          flush: swarm.flush,
          recoverFromPeers: swarm.recoverFromPeers,
          watch: this,
        }),
      );
    this.#forgetting = new ForgettingBudget(this);
    this.clients = swarm.clients.map(
      (client) => new Client({ world: this, prng: prng.fork(), ...client }),
    );
    this.readers = Array.from({ length: swarm.readers }, () => {
      return new Reader({ world: this, prng: prng.fork(), thinkMs: 100 });
    });
  }

  /** Founds the group, and lets the clients begin. */
  begin(): void {
    for (const node of this.nodes.values())
      if (node.init.founders.includes(node.nodeId)) {
        const error = node.start("found");
        hold(error === undefined, "a node opens", () => String(error));
      }
    for (const client of this.clients) client.start();
    for (const reader of this.readers) reader.start();
  }

  node(nodeId: number): SimNode {
    const node = this.nodes.get(nodeId);
    if (node === undefined) throw new RangeError(`there is no node ${nodeId}`);
    return node;
  }

  /** Who leads in the newest term, as far as any node that runs knows itself. */
  leader(): SimNode | undefined {
    const leaders = [...this.nodes.values()].filter((node) => {
      return node.isServing && node.life?.replica.status().role === "leader";
    });
    return leaders.toSorted((a, b) => termOf(b) - termOf(a))[0];
  }

  pause(node: SimNode, ms: number): void {
    const { life } = node;
    if (life === undefined || life.gate.isOver || life.gate.isPaused) return;
    life.gate.pause();
    this.#pausedAt.set(node.nodeId, Number.POSITIVE_INFINITY);
    this.queue.after(ms, () => {
      life.gate.resume();
      this.#pausedAt.set(node.nodeId, this.queue.now());
    });
  }

  wasPausedSince({ nodeId }: SimNode, atMs: number): boolean {
    return (this.#pausedAt.get(nodeId) ?? Number.NEGATIVE_INFINITY) >= atMs;
  }

  /** Whether an error says that damage was found, where there may be some. */
  isDamage(node: SimNode, error: Error): boolean {
    const isDamaged = this.damaged.has(node.nodeId) || this.rotten.has(node.nodeId);
    if (!isDamaged || !namesFile(error)) return false;
    this.story.count("damage found as it was read");
    return true;
  }

  /** Counts calls that share an entry. */
  countContainer({ index, term }: { readonly index: number; readonly term: number }): void {
    const key = index * 1_000 + term;
    if (this.#lastContainer === key) this.story.count("container of several calls");
    this.#lastContainer = key;
  }

  demandNewSession(sessionId: number): void {
    hold(!this.#sessions.has(sessionId), "a session is opened once", () => {
      return `session ${sessionId} was given to two clients`;
    });
    this.#sessions.add(sessionId);
  }

  onStarted(node: SimNode): void {
    const { life } = node;
    this.story.note(() => {
      const status = life?.replica.status();
      return (
        `node ${node.nodeId} starts, disk ${life?.incarnation}, term ${status?.currentTerm}, ` +
        `log [${status?.firstIndex}, ${status?.lastIndex}], applied ${status?.appliedIndex}`
      );
    });
    this.#countRecovery(node);
    if ((life?.machine.askedCount ?? 0) > 1) this.story.count("started from an older state");
    if (!this.damaged.has(node.nodeId)) {
      this.#caught(() => {
        this.promises.onStarted(node);
      });
      return;
    }
    try {
      this.promises.onStarted(node);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#caught(() => {
        hold(!this.provable.has(node.nodeId), "damage below what was synced is noticed", () => {
          return error.message;
        });
      });
      this.forgetful.add(node.nodeId);
    }
  }

  onRefused(node: SimNode, error: Error): void {
    this.refused.set(node.nodeId, error);
  }

  onEnded(node: SimNode, kind: CrashKind): void {
    this.story.count(kind === "power" ? "power loss" : "process ended");
    this.story.note(() => `node ${node.nodeId} ended: ${kind}`);
    this.vainRepairs.delete(node.nodeId);
    this.vainRounds.delete(node.nodeId);
    this.attempts.onEnded(node);
  }

  onApply(node: SimNode, offset: number, records: readonly Uint8Array[]): void {
    this.#caught(() => {
      this.ledger.onApply(node.nodeId, offset, records);
    });
  }

  onRestore(node: SimNode, nextOffset: number): void {
    this.#caught(() => {
      hold(nextOffset <= this.ledger.end, "a state is of what was applied", () => {
        return `node ${node.nodeId} has a state that ends at ${nextOffset}`;
      });
    });
  }

  onSnapshot(node: SimNode, path: string, bytes: Uint8Array): void {
    if (node.disk.isResumed(path)) this.story.count("snapshot resumed");
    this.story.count("snapshot on a disk");
    this.#caught(() => {
      this.images.onSnapshot(node, path, bytes);
    });
  }

  onMessage(node: SimNode, message: Message): void {
    this.#caught(() => {
      this.promises.onMessage(node, message);
    });
  }

  onEvent(node: SimNode, event: ReplicaEvent): void {
    this.story.mix(node.nodeId, event.type.length);
    switch (event.type) {
      case "role":
        this.story.note(() => `node ${node.nodeId} is ${event.role} of term ${event.term}`);
        if (event.role !== "leader") break;
        this.story.count("election");
        this.#caught(() => {
          this.promises.onLeader(node, event.term);
        });
        break;
      case "snapshotInstalled":
        this.story.count("snapshot installed");
        if (this.promises.hasLog(node)) this.story.count("follower beyond retention");
        node.disk.onInstalled();
        this.#bases.set(node.nodeId, event.index);
        this.story.note(() => `node ${node.nodeId} installs a snapshot of ${event.index}`);
        this.promises.onReset(node);
        break;
      case "suspect":
      case "suspicionCleared":
        this.story.count(event.type);
        this.story.note(() => `node ${node.nodeId}: ${event.type}`);
        break;
      case "logRepaired":
        this.story.count(node.life === undefined ? "repaired at the start" : "repaired as it ran");
        this.story.note(() => `node ${node.nodeId} has made ${event.file} anew`);
        this.vainRepairs.delete(node.nodeId);
        break;
      case "logRepairWaiting":
        if (node.life === undefined)
          this.vainRounds.set(node.nodeId, (this.vainRounds.get(node.nodeId) ?? 0) + 1);
        break;
      case "logRepairFailed":
        this.story.note(() => `node ${node.nodeId} is not repaired: ${event.error.message}`);
        this.vainRepairs.set(node.nodeId, (this.vainRepairs.get(node.nodeId) ?? 0) + 1);
        break;
      case "malformedFrame":
        this.#report(new Violation("frames make sense", `of node ${event.from}`));
        break;
      case "failed":
        this.#onFailed(node, event.error);
        break;
      default:
    }
  }

  onTurn(node: SimNode): void {
    const { life } = node;
    if (life === undefined) return;
    this.#caught(() => {
      this.promises.onTurn(node);
      this.images.onTurn(node);
      const { keeper } = life.replica;
      hold(life.machine.nextOffset === keeper.state.nextOffset, "the machine keeps up", () => {
        return `node ${node.nodeId}: ${life.machine.nextOffset}, not ${keeper.state.nextOffset}`;
      });
      hold(keeper.firstOffset <= this.ledger.trimWanted, "only what was trimmed is gone", () => {
        return (
          `node ${node.nodeId} begins at ${keeper.firstOffset}, ` +
          `and nobody has trimmed behind ${this.ledger.trimWanted}`
        );
      });
    });
    const base = life.replica.log.base().index;
    const isMoved =
      base > (this.#bases.get(node.nodeId) ?? 0) && base <= life.replica.keeper.appliedIndex;
    if (isMoved && base > 1) this.story.count("trim done");
    this.#bases.set(node.nodeId, base);
    const { commitIndex, currentTerm } = life.replica.status();
    this.story.mix(node.nodeId, commitIndex, currentTerm, life.replica.keeper.appliedIndex);
  }

  onTrim(offset: number): void {
    this.ledger.trimWanted = Math.max(this.ledger.trimWanted, offset);
  }

  onStopped(node: SimNode): void {
    this.#caught(() => {
      this.attempts.demandAnswered(node);
    });
  }

  onHandedOver(node: SimNode): void {
    this.story.count("closed after handing over");
    this.story.note(() => `node ${node.nodeId} has handed over`);
  }

  mayForget(node: SimNode): boolean {
    return this.#forgetting.take(node);
  }

  /** Who may lack what it has promised, or will. */
  atRisk(): ReadonlySet<number> {
    return this.#forgetting.atRisk();
  }

  onFault(node: SimNode, fault: DiskFault, event: OperationEvent): void {
    this.story.count(`disk: ${fault}`);
    if (fault === "stop" && event.path.includes(SNAPSHOTS))
      this.story.count("ended as a snapshot comes or goes");
    this.story.note(() => {
      return `node ${node.nodeId}: ${fault} at ${event.operation} of ${event.path}`;
    });
  }

  /** Whether a node is a member, by what any node knows. */
  isMember(nodeId: number): boolean {
    return [...this.nodes.values()].some(({ life }) => {
      return (
        life !== undefined && findMember(life.replica.keeper.configuration, nodeId) !== undefined
      );
    });
  }

  #countRecovery({ life, nodeId }: SimNode): void {
    if (life === undefined) return;
    const { log } = life.replica;
    if (log instanceof SegmentLogStore && log.tornBytes > 0) this.story.count("torn tail");
    this.#bases.set(nodeId, log.base().index);
  }

  #onFailed(node: SimNode, error: Error): void {
    this.story.note(() => `node ${node.nodeId} failed: ${error.message}`);
    this.onStopped(node);
    const isDamage = this.damaged.has(node.nodeId) && this.isDamage(node, error);
    const isInjected = node.life?.isDiskFaulty === true || isDamage;
    const isBug = error.name === "InvariantViolation";
    if (error instanceof Violation) this.#report(error);
    else if (isBug || !isInjected)
      this.#report(new Violation("a replica fails with its disk only", describe(node, error)));
    else this.story.count("failed with its disk");
  }

  /** Violations are found within the code that they are about, which may swallow them. */
  #caught(check: () => void): void {
    try {
      check();
    } catch (error) {
      if (error instanceof Violation) this.#report(error);
      throw error;
    }
  }

  #report(violation: Violation): void {
    this.violation ??= violation;
  }
}

function describe({ nodeId }: SimNode, error: Error): string {
  const cause = error.cause instanceof Error ? ` (${error.cause.stack})` : "";
  return `node ${nodeId}: ${error.stack ?? error.message}${cause}`;
}

function termOf({ life }: SimNode): number {
  return life?.replica.status().currentTerm ?? 0;
}
