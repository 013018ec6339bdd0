/**
 * One seed, from its first event to its verdict.
 *
 *     storm (faults, load) ──> calm, if there was too little load ──> finale ──> liveness
 */

import { recordSometimes } from "@quorumlog/std";
import { type Micros, MILLISECOND, SECOND } from "../engine/event-queue.ts";
import { withoutRealWorld } from "../engine/global-guard.ts";
import { Violation } from "../engine/violation.ts";
import { FaultAtlas } from "../fault/atlas.ts";
import { FaultContext } from "../fault/fault-context.ts";
import { Nemesis } from "../fault/nemesis.ts";
import { Operator } from "../fault/operator.ts";
import { drawSwarm, type SwarmOptions } from "../fault/swarm.ts";
import type { OperationCounts } from "./client.ts";
import type { NodeEventListener } from "./event-marks.ts";
import { LivenessPhase } from "./liveness.ts";
import { isWedged, KNOWN_LIMIT } from "./wedge.ts";
import { World } from "./world.ts";

export interface SeedFailure {
  readonly invariant: string;
  readonly detail: string;
  readonly nodes: readonly number[];
  readonly virtualSeconds: number;
  readonly stack: string | undefined;
}

export interface SeedResult {
  readonly seed: number;
  /** The fingerprint of everything that happened: the same on every run of the seed. */
  readonly hash: string;
  readonly failure: SeedFailure | undefined;
  readonly steps: number;
  readonly virtualSeconds: number;
  readonly operations: OperationCounts;
  readonly faults: Readonly<Record<string, number>>;
  readonly faultCount: number;
  readonly elections: number;
  readonly committed: number;
  /** How often each rare path was taken. */
  readonly marks: Readonly<Record<string, number>>;
}

export interface SeedRunOptions {
  /** Takes the story of the run, line by line. */
  readonly trace?: (line: string) => void;
  /** Sees every event of every core; must not touch them. */
  readonly onEvent?: NodeEventListener;
  /** In place of what the seed draws. */
  readonly swarm?: Partial<SwarmOptions>;
}

const OPERATION_COUNT_MIN = 500;
const FAULT_COUNT_MIN = 5;
/** A storm that lets too little through ends here; what is missing is done in calm weather. */
const STORM_MAX: Micros = 90 * SECOND;
const CALM_MAX: Micros = 180 * SECOND;
const STEP: Micros = 100 * MILLISECOND;
const EVENT_COUNT_MAX = 4_000_000;

/** Runs one seed. Never throws: whatever goes wrong is the result's failure. */
export function runSeed(seed: number, options: SeedRunOptions = {}): SeedResult {
  return withoutRealWorld(() => new SeedRun(seed, options).run());
}

class SeedRun {
  readonly #world: World;
  readonly #atlas: FaultAtlas;
  readonly #nemesis: Nemesis;
  readonly #liveness: LivenessPhase;

  constructor(seed: number, options: SeedRunOptions) {
    const swarm = { ...drawSwarm(seed), ...options.swarm };
    const world = new World({ swarm, trace: options.trace, onEvent: options.onEvent });
    this.#world = world;
    const { cluster, oracle, prng } = world;
    const atlas = new FaultAtlas(cluster);
    this.#atlas = atlas;
    cluster.mayForget = (host) => atlas.survivesWithout(host);
    const operator = new Operator(cluster, atlas, prng.fork());
    const context = new FaultContext({ cluster, atlas, operator, prng: prng.fork() });
    this.#nemesis = new Nemesis(context, prng.fork());
    this.#liveness = new LivenessPhase({ cluster, atlas, oracle, prng: prng.fork() });
  }

  run(): SeedResult {
    const world = this.#world;
    const before = recordSometimes((name) => {
      world.marks.hit(name);
    });
    let failure: SeedFailure | undefined;
    try {
      world.begin();
      this.#storm();
      this.#calm();
      this.#finale();
      this.#liveness.run();
    } catch (error) {
      failure = this.#isKnownLimit(error) ? undefined : this.#failureOf(error);
    } finally {
      recordSometimes(before);
    }
    world.trace.text(JSON.stringify(world.counts));
    world.trace.text(Buffer.from(world.ledger.state).toString("hex"));
    return this.#result(failure);
  }

  #result(failure: SeedFailure | undefined): SeedResult {
    const { cluster, trace, queue, counts, eventMarks, ledger, marks } = this.#world;
    return {
      seed: cluster.swarm.seed,
      hash: trace.hash,
      failure,
      steps: queue.processed,
      virtualSeconds: queue.now / SECOND,
      operations: counts,
      faults: this.#nemesis.counts(),
      faultCount: this.#nemesis.faultCount,
      elections: eventMarks.elections,
      committed: ledger.committedIndex - ledger.baseIndex,
      marks: marks.toRecord(),
    };
  }

  get #isEnough(): boolean {
    const { queue, cluster, counts } = this.#world;
    return (
      queue.now >= cluster.swarm.duration &&
      counts.acknowledged >= OPERATION_COUNT_MIN &&
      this.#nemesis.faultCount >= FAULT_COUNT_MIN
    );
  }

  #storm(): void {
    const { clients, queue } = this.#world;
    for (const client of clients) client.start();
    this.#nemesis.start();
    while (!this.#isEnough && queue.now < STORM_MAX) this.#advance(STEP);
  }

  /** What the storm let too little of is made up for. */
  #calm(): void {
    const { counts, marks, queue } = this.#world;
    if (counts.acknowledged >= OPERATION_COUNT_MIN) return;
    marks.hit("operations made up for in calm weather");
    this.#nemesis.end();
    const deadline = queue.now + CALM_MAX;
    while (counts.acknowledged < OPERATION_COUNT_MIN) {
      if (queue.now >= deadline)
        throw new Violation("liveness", [], "clients get nothing done though all faults are over");
      this.#advance(STEP);
    }
  }

  /**
   * The load ends before the faults do, at times, so that a group which only the next write would
   * unlock stays locked; and nothing is mended before the core is chosen.
   */
  #finale(): void {
    const { clients, prng } = this.#world;
    const time = this.#nemesis.finale();
    const loadShare = prng.pick([0, 0.5, 1]);
    this.#advance(time * loadShare);
    for (const client of clients) client.stop();
    this.#advance(time * (1 - loadShare));
    this.#nemesis.end();
  }

  #advance(time: Micros): void {
    const { queue } = this.#world;
    queue.runUntil(queue.now + Math.round(time));
    if (queue.processed > EVENT_COUNT_MAX)
      throw new Violation("termination", [], "the run does not come to an end");
  }

  #isKnownLimit(error: unknown): boolean {
    if (!(error instanceof Violation) || error.invariant !== "liveness") return false;
    if (!isWedged(this.#world.cluster, this.#atlas)) return false;
    this.#world.marks.hit(KNOWN_LIMIT);
    return true;
  }

  #failureOf(error: unknown): SeedFailure {
    const virtualSeconds = this.#world.queue.now / SECOND;
    if (error instanceof Violation) {
      const { invariant, nodes, message, stack } = error;
      return { invariant, nodes, detail: message, virtualSeconds, stack };
    }
    // An assertion of the core, most likely: the simulator's own code does not throw these.
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    return { invariant: `${name}: ${message}`, nodes: [], detail: message, virtualSeconds, stack };
  }
}
