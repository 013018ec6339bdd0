/** What a replica is given in place of the process: time, turns and chance of one life. */

import type { Environment } from "@quorumlog/replica";
import type { Prng } from "@quorumlog/std";
import type { EventQueue } from "../engine/event-queue.ts";
import type { Gate } from "./gate.ts";
import { spoiledMemory } from "./spoiled-memory.ts";

/** The clock on the wall of one machine. */
export interface WallClock {
  /** How far it is off, in milliseconds. */
  offsetMs: number;
}

const EPOCH_MS = 1_700_000_000_000;
/** Of a turn of the event loop. */
const TURN_MS_MAX = 0.2;

export interface VirtualEnvironmentInit {
  readonly queue: EventQueue;
  readonly gate: Gate;
  readonly clock: WallClock;
  readonly prng: Prng;
  /** Of the machine. */
  readonly bootId: string;
}

export function virtualEnvironment(init: VirtualEnvironmentInit): Environment {
  const { queue, gate, clock, prng, bootId } = init;
  const bootedAt = queue.now() - prng.fraction() * 1e6;
  return {
    now: () => queue.now() - bootedAt,
    wallTime: () => Math.floor(EPOCH_MS + queue.now() + clock.offsetMs),
    after(delayMs, run) {
      let isOff = false;
      const cancel = queue.after(delayMs, () =>
        gate.run(() => {
          if (!isOff) run();
        }),
      );
      return () => {
        isOff = true;
        cancel();
      };
    },
    soon(run) {
      queue.after(prng.fraction() * TURN_MS_MAX, () => gate.run(run));
    },
    bootId: () => bootId,
    random: () => prng.uint32(),
    memory: spoiledMemory(),
  };
}
