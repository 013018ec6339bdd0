/** Lets the faults of a seed strike, one after another, and ends those that last. */

import type { Prng } from "@quorumlog/std";
import {
  COMMAND_KIND,
  type CommandDraft,
  MARKER_DRAFT,
  trimDraft,
} from "@quorumlog/replica/testing";
import type { SimNode } from "../node/sim-node.ts";
import { type DiskFault, SNAPSHOTS } from "../node/simulated-disk.ts";
import type { World } from "../run/world.ts";
import { DiskLoss } from "./disk-loss.ts";
import { NetworkFaults } from "./network-faults.ts";
import type { Operator } from "./operator.ts";
import type { Supervisor } from "./supervisor.ts";
import type { FaultName } from "./swarm.ts";

const OPERATIONS_MAX = 60;
/** A snapshot takes about as many, and its removal two. */
const SNAPSHOT_OPERATIONS_MAX = 10;

export class Nemesis {
  readonly #world: World;
  readonly #prng: Prng;
  readonly #supervisor: Supervisor;
  readonly #operator: Operator;
  readonly #network: NetworkFaults;
  readonly #loss: DiskLoss;
  #isOver = false;

  constructor(world: World, supervisor: Supervisor, operator: Operator) {
    this.#world = world;
    this.#prng = world.prng.fork();
    this.#supervisor = supervisor;
    this.#operator = operator;
    this.#network = new NetworkFaults(world, this.#prng);
    this.#loss = new DiskLoss({ world, supervisor, operator, prng: this.#prng });
  }

  start(): void {
    const { faults, faultMs } = this.#world.swarm;
    if (faults.length === 0) return;
    this.#world.queue.after(this.#prng.fraction() * 2 * faultMs, () => {
      if (this.#isOver) return;
      this.#strike(this.#prng.pick(faults));
      this.start();
    });
  }

  /** No fault any more, and none that lasts. */
  stop(): void {
    this.#isOver = true;
    this.#network.heal();
    for (const node of this.#world.nodes.values()) node.disk.spare();
  }

  #strike(name: FaultName): void {
    const { story } = this.#world;
    story.note(() => `fault: ${name}`);
    story.count(`fault: ${name}`);
    const prng = this.#prng;
    const node = prng.pick([...this.#world.nodes.values()]);
    switch (name) {
      case "kill":
        node.kill("process");
        break;
      case "powerLoss":
        node.kill("power");
        break;
      case "killSome":
        this.#killMany(0.5);
        break;
      case "killAll":
        this.#killMany(1);
        break;
      case "gracefulStop":
        (prng.chance(0.5) ? (this.#world.leader() ?? node) : node).stop();
        break;
      case "longDown":
        node.kill(prng.chance(0.5) ? "power" : "process");
        this.#supervisor.keepDown(node, prng.between(2_000, 8_000));
        break;
      case "pause":
        this.#pause(this.#leaderOr(node), prng.pick([30, 300, 1_500]));
        break;
      case "wallClock":
        node.clock.offsetMs += prng.between(-20_000, 20_001);
        break;
      case "transfer":
        this.#transfer();
        break;
      case "trim":
        this.#trim();
        break;
      case "churn":
        this.#churn();
        break;
      default:
        this.#strikeOther(name, node);
    }
  }

  #strikeOther(name: FaultName, node: SimNode): void {
    const prng = this.#prng;
    switch (name) {
      case "failedSync":
      case "failedWrite":
      case "shortWrite":
      case "full":
        this.#planDisk(this.#leaderOr(node), name);
        break;
      case "stopAtOperation":
        this.#planDisk(node, "stop");
        break;
      case "stopAtSnapshot":
        node.disk.plan("stop", this.#prng.below(SNAPSHOT_OPERATIONS_MAX), SNAPSHOTS);
        break;
      case "slowDisk": {
        const { disk } = node;
        disk.slowness = prng.pick([10, 50]);
        this.#world.queue.after(prng.between(200, 2_000), () => {
          disk.slowness = 1;
        });
        break;
      }
      case "bitFlip":
        this.#loss.damage(node);
        break;
      case "rot":
        this.#loss.rot(node);
        break;
      case "wipe":
        this.#loss.wipe(node);
        break;
      default:
        this.#network.strike(name);
    }
  }

  /** Sometimes it hears of what it has missed only a while after it is back. */
  #pause(node: SimNode, ms: number): void {
    this.#world.pause(node, ms);
    if (this.#prng.chance(0.5)) this.#network.isolate(node.nodeId, ms + this.#prng.below(400));
  }

  #killMany(chance: number): void {
    const kind = this.#prng.pick(["process", "power", "mixed"] as const);
    for (const node of this.#world.nodes.values())
      if (this.#prng.chance(chance))
        node.kill(kind === "mixed" ? this.#prng.pick(["process", "power"]) : kind);
    if (chance === 1) this.#world.story.count("all nodes ended at once");
  }

  #planDisk({ disk }: SimNode, fault: DiskFault): void {
    disk.plan(fault, this.#prng.below(OPERATIONS_MAX));
  }

  #leaderOr(node: SimNode): SimNode {
    return this.#prng.chance(0.4) ? (this.#world.leader() ?? node) : node;
  }

  #transfer(): void {
    const leader = this.#world.leader();
    const to = this.#prng.pick([...this.#world.nodes.values()]);
    const { life } = leader ?? {};
    life?.gate.run(() => {
      if (!life.replica.isOpen() || !life.replica.transferLeadership(to.nodeId)) return;
      this.#world.story.count("transfer begun");
      this.#world.queue.after(this.#world.swarm.tuning.electionMs, () => {
        if (to.life?.replica.status().role === "leader") this.#world.story.count("transfer done");
      });
    });
  }

  /** A caller trims, sometimes right behind a snapshot that it has asked for. */
  #trim(): void {
    const { ledger } = this.#world;
    const leader = this.#world.leader();
    if (leader === undefined || ledger.end === 0) return;
    const offset = this.#prng.below(ledger.end);
    if (this.#prng.chance(0.4)) {
      this.#submit(leader, trimDraft(offset), () => undefined);
      return;
    }
    this.#submit(leader, MARKER_DRAFT, () => {
      this.#submit(leader, trimDraft(ledger.end), () => undefined);
    });
    if (this.#prng.chance(0.5)) return;
    this.#world.queue.after(this.#prng.between(2, 40), () => {
      this.#killMany(0.6);
    });
  }

  #submit(node: SimNode, draft: CommandDraft, onOk: () => void): void {
    const { attempts } = this.#world;
    if (draft.kind === COMMAND_KIND.trim) this.#world.onTrim(draft.offset);
    attempts.start({
      node,
      draft,
      durability: "quorum",
      timeoutMs: 500,
      onEnd: ({ kind }) => {
        if (kind === "ok") onOk();
      },
    });
  }

  /** Another set of voters: one more, one less, or one in place of another. */
  #churn(): void {
    const { wanted } = this.#operator;
    const all = [...this.#world.nodes.keys()];
    const spare = all.filter((nodeId) => !wanted.has(nodeId));
    // Who is suspect needs a leader to catch up with, and so the others to elect one.
    const isLosing = this.#world.atRisk().size > 0;
    const voters = [...wanted];
    const kind = this.#prng.below(3);
    if (kind < 2 && spare.length > 0) {
      const next = this.#prng.pick(spare);
      this.#supervisor.employ(next);
      wanted.add(next);
    }
    if (kind > 0 && wanted.size > 3 && !isLosing) {
      const former = this.#prng.pick(voters);
      wanted.delete(former);
    }
    this.#world.story.note(() => `voters wanted: ${[...wanted].join(", ")}`);
  }
}
