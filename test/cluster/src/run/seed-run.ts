/** One seed, from its draw to its verdict. */

import { withoutRealWorld } from "@quorumlog/simulation";
import { Prng, recordSometimes } from "@quorumlog/std";
import { EventQueue } from "../engine/event-queue.ts";
import { Story } from "../engine/story.ts";
import { Violation } from "../engine/violation.ts";
import { Nemesis } from "../fault/nemesis.ts";
import { Operator } from "../fault/operator.ts";
import { Supervisor } from "../fault/supervisor.ts";
import { drawSwarm, type FaultName } from "../fault/swarm.ts";
import { demandLiveness } from "./liveness.ts";
import { World } from "./world.ts";

export interface SeedFailure {
  readonly invariant: string;
  readonly detail: string;
}

export interface SeedResult {
  readonly seed: number;
  readonly hash: string;
  readonly events: number;
  readonly virtualMs: number;
  readonly acknowledged: number;
  readonly records: number;
  readonly counts: readonly (readonly [name: string, count: number])[];
  readonly failure: SeedFailure | undefined;
}

const STEP_MS = 50;

/** Synchronous, and the same whenever it is run. */
export function runSeed(seed: number, sink?: (line: string) => void): SeedResult {
  try {
    return withoutRealWorld(() => run(seed, sink));
  } finally {
    recordSometimes(undefined);
  }
}

function run(seed: number, sink: ((line: string) => void) | undefined): SeedResult {
  const queue = new EventQueue();
  const story = new Story(queue, sink);
  const prng = new Prng(seed);
  recordSometimes((name) => {
    story.count(`mark: ${name}`);
  });
  const swarm = drawSwarm(prng, new Prng(seed + 2 ** 31));
  story.note(() => `seed ${seed}: ${JSON.stringify(swarm)}`);
  const world = new World({ queue, prng, story, swarm });
  const failure = failureOf(world, () => {
    const supervisor = new Supervisor(world, prng.pick([200, 1_000, 3_000]));
    const operator = new Operator(world, supervisor);
    const nemesis = new Nemesis(world, supervisor, operator);
    const changing: readonly FaultName[] = ["churn", "wipe", "bitFlip"];
    const isStatic = !changing.some((name) => swarm.faults.includes(name));
    world.isChanging = () => {
      const life = world.leader()?.life;
      return !isStatic && (life === undefined || !operator.isSettled(life));
    };
    world.begin();
    supervisor.start();
    operator.start();
    nemesis.start();
    while (queue.now() < swarm.durationMs) {
      queue.runUntil(queue.now() + STEP_MS);
      if (world.violation !== undefined) throw world.violation;
    }
    demandLiveness({ world, nemesis, supervisor, operator });
  });
  if (failure !== undefined) story.note(() => `${failure.invariant}: ${failure.detail}`);
  return {
    seed,
    hash: story.hash,
    events: queue.processed,
    virtualMs: queue.now(),
    acknowledged: world.ledger.ackedCount,
    records: world.ledger.end,
    counts: [...story.counts],
    failure,
  };
}

function failureOf(world: World, act: () => void): SeedFailure | undefined {
  try {
    act();
  } catch (error) {
    const found = world.violation ?? error;
    if (found instanceof Violation) return { invariant: found.invariant, detail: found.message };
    const { name, stack, message } = found as Error;
    return { invariant: `thrown: ${name}`, detail: stack ?? message };
  }
  return undefined;
}
