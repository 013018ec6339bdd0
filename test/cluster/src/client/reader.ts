/** A client that reads: behind a barrier on any node, or without one. */

import { ReplicaError } from "@quorumlog/replica";
import type { Prng } from "@quorumlog/std";
import { hold, Violation } from "../engine/violation.ts";
import type { Life, SimNode } from "../node/sim-node.ts";
import type { World } from "../run/world.ts";

export interface ReaderInit {
  readonly world: World;
  readonly prng: Prng;
  readonly thinkMs: number;
}

export class Reader {
  readonly #init: ReaderInit;
  #isStopped = false;

  constructor(init: ReaderInit) {
    this.#init = init;
  }

  start(): void {
    this.#later();
  }

  stop(): void {
    this.#isStopped = true;
  }

  #later(): void {
    const { world, prng, thinkMs } = this.#init;
    world.queue.after(prng.fraction() * thinkMs, () => {
      if (!this.#isStopped) this.#next();
    });
  }

  #next(): void {
    const { world, prng } = this.#init;
    const node = prng.pick([...world.nodes.values()]);
    const { life } = node;
    if (life === undefined || life.gate.isOver) {
      this.#later();
      return;
    }
    life.gate.run(() => {
      if (!life.replica.isOpen()) return;
      if (prng.chance(0.3)) this.#read(node, life, 0);
      else this.#ask(node, life);
    });
    this.#later();
  }

  #ask(node: SimNode, life: Life): void {
    const { world, prng } = this.#init;
    const floor = world.ledger.ackedEnd;
    const timeoutMs = prng.pick([200, 1_000]);
    let isAnswered = false;
    const giveUp = life.replica.reads.ask(life.environment.now() + timeoutMs, (error) => {
      if (life.gate.isOver) return;
      hold(!isAnswered, "a call ends once", () => `a barrier of node ${node.nodeId} ended twice`);
      isAnswered = true;
      if (error === undefined) {
        world.story.count("barrier");
        this.#read(node, life, floor);
      } else world.story.count(`barrier ${error.code}`);
    });
    life.replica.wantTurn();
    world.queue.after(timeoutMs * 20, () => {
      const isLate = !isAnswered && !life.gate.isOver && !life.gate.isPaused;
      if (isLate && world.wasPausedSince(node, world.queue.now() - timeoutMs * 20)) return;
      hold(!isLate, "every call ends", () => `a barrier of node ${node.nodeId} never ended`);
    });
    if (prng.chance(0.02)) life.gate.run(giveUp);
  }

  #read(node: SimNode, life: Life, floor: number): void {
    const { world, prng } = this.#init;
    const { keeper } = life.replica;
    const { nextOffset } = keeper.state;
    hold(nextOffset >= floor, "a read behind a barrier sees what was acknowledged", () => {
      return `node ${node.nodeId} ends at ${nextOffset}, and ${floor} was acknowledged`;
    });
    const low = Math.max(0, keeper.firstOffset - prng.below(3));
    const from = low + prng.below(Math.max(1, nextOffset - low + 1));
    const bytesMax = prng.pick([1, 2_000, 40_000]);
    readFrom({ world, node, life }, from, bytesMax);
  }
}

/** Reads, and compares with what was appended. @returns where to read on. */
export function readFrom(
  { world, node, life }: { world: World; node: SimNode; life: Life },
  from: number,
  bytesMax: number,
): number {
  const { nodeId } = node;
  const { firstOffset, state } = life.replica.keeper;
  try {
    const { records, nextOffset } = life.reader.read(from, bytesMax);
    hold(from === state.nextOffset || records.length > 0, "a read gets on", () => {
      return `node ${nodeId} read nothing at ${from}, before ${state.nextOffset}`;
    });
    hold(nextOffset === from + records.length, "reads are dense", () => {
      const count = records.length;
      return `node ${nodeId} read ${count} records from ${from}, and ${nextOffset} is next`;
    });
    world.ledger.onRead(nodeId, from, records);
    return nextOffset;
  } catch (error) {
    if (error instanceof Violation) throw error;
    if (error instanceof ReplicaError && error.code === "TRIMMED") {
      world.story.count("TRIMMED");
      hold(from < firstOffset, "only what was trimmed is gone", () => {
        return `node ${nodeId} has trimmed ${from}, and says that ${firstOffset} is its first`;
      });
      return firstOffset;
    }
    if (world.isDamage(node, error as Error)) return state.nextOffset;
    throw new Violation("a read succeeds", `node ${nodeId} at ${from}: ${String(error)}`);
  }
}
