// Goal: however much is to be applied, the event loop gets its turns.
// Method: a group of one whose state machine takes virtual time; it is opened again on a log whose
// entries no snapshot covers.

import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng } from "@quorumlog/std";
import { MemoryNetwork } from "@quorumlog/transport/testing";
import { expect, test } from "vitest";
import {
  type Environment,
  type Machine,
  nodeEnvironment,
  type RecordBatch,
  ReplicatedStateMachine,
} from "../src/index.ts";

const COMMAND_MS = 5;
const COMMAND_COUNT = 120;
/** Four commands of these are an entry. */
const COMMAND = Buffer.alloc(900, 1);

class SlowClock {
  spentMs = 0;
  /** What each turn took by this clock. */
  turnsMs: number[] = [];

  readonly environment: Environment = {
    ...nodeEnvironment,
    now: () => nodeEnvironment.now() + this.spentMs,
    soon: (run) => {
      nodeEnvironment.soon(() => {
        const before = this.spentMs;
        run();
        this.turnsMs.push(this.spentMs - before);
      });
    },
  };
}

class SlowCounter implements Machine {
  count = 0;
  readonly #clock: SlowClock;
  #isSlow: boolean;

  constructor(clock: SlowClock, isSlow: boolean) {
    this.#clock = clock;
    this.#isSlow = isSlow;
  }

  apply({ records }: RecordBatch): Uint8Array[] {
    this.count += records.length;
    if (this.#isSlow) this.#clock.spentMs += COMMAND_MS * records.length;
    return records.map(() => new Uint8Array(0));
  }

  *snapshot(): Iterable<Uint8Array> {
    yield Buffer.from(`${this.count}`);
  }

  restore(chunks: Iterable<Uint8Array>): void {
    this.count = Number(Buffer.concat([...chunks]).toString());
  }
}

test("a backlog is applied over many turns, each of them short", async () => {
  const clock = new SlowClock();
  const network = new MemoryNetwork({ scheduler: nodeEnvironment, prng: new Prng(1) });
  const transport = network.transport({ nodeId: 1, incarnation: 1 });
  const fileSystem = new MemoryFileSystem({ prng: new Prng(1) });
  const open = (machine: Machine) =>
    ReplicatedStateMachine.open(
      {
        directory: "/node",
        clusterId: "c",
        nodeId: 1,
        peers: { 1: "a:1" },
        transport,
        fileSystem,
        ifMissing: "found",
        environment: clock.environment,
        tuning: { segmentBytes: 65_536, containerBytesMax: 4_096 },
      },
      machine,
    );
  const quick = await open(new SlowCounter(clock, false));
  await quick.leader();
  await Promise.all(Array.from({ length: COMMAND_COUNT }, () => quick.execute(COMMAND)));
  await quick.close();

  clock.turnsMs = [];
  const machine = new SlowCounter(clock, true);
  const slow = await open(machine);
  await slow.leader();
  await slow.readBarrier();

  expect(machine.count).toBe(COMMAND_COUNT);
  expect(clock.spentMs).toBe(COMMAND_COUNT * COMMAND_MS);
  // What a turn may take, and an entry that was begun within that.
  expect(Math.max(...clock.turnsMs)).toBeLessThanOrEqual(10 + 4 * COMMAND_MS);
  await slow.close();
});
