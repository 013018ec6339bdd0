/**
 * Has faults hit a cluster: one after the other, or a mix that shifts, by a seed.
 *
 *     mix:   | two faults, again and again | nothing | one fault ... | three ...
 *            0                            10 s      20 s            30 s
 *
 * A mix that stays for a while finds what constant chaos hides: who is left alone now and then does
 * what it does when all is well, and is hit then. Faults that have not bitten yet come first.
 */

import { sleep } from "@quorumlog/integration/testing";
import { Prng } from "@quorumlog/std";
import type { TestCluster } from "../cluster/test-cluster.ts";
import { untilWhole } from "../cluster/whole.ts";
import { Coverage, type FaultCoverage } from "./coverage.ts";
import type { Evidence, Fault, FaultContext, Hit } from "./fault.ts";
import { Harm } from "./harm.ts";
import { type FaultGround, lackOf } from "./need.ts";

/** A fault that is not possible where it was asked for. */
export interface LeftOutFault {
  readonly fault: string;
  /** What it would need. */
  readonly lack: string;
}

export interface NemesisInit {
  readonly cluster: TestCluster;
  /** Those that do not suit the cluster are left out. */
  readonly faults: readonly Fault[];
  readonly seed: number;
  /** `mix`: several at a time. `turns`: one after the other. */
  readonly order: "mix" | "turns";
  /** They were asked for by name: each has to bite as often as it needs. Default: once. */
  readonly isNamed?: boolean;
  readonly onEvent: (event: NemesisEvent) => void;
  /** See `FaultContext`. */
  readonly crashClients?: () => Promise<string>;
  /** How long a mix stays; default 8000 ms. */
  readonly stablePeriodMs?: number;
  /** How long a fault lasts, unless it has a limit; `[low, high)`, default 1 to 4 s. */
  readonly holdMs?: readonly [low: number, high: number];
  /** Before a fault comes again, or the next one does; `[low, high)`, default 200 to 1500 ms. */
  readonly pauseMs?: readonly [low: number, high: number];
}

/** A line of `faults.jsonl`, but for the time's beginning. */
export interface NemesisEvent {
  /** By `process.hrtime.bigint()`. */
  readonly at: bigint;
  readonly type: "begin" | "end";
  /** The same at the beginning and at the end, and of no other. */
  readonly hitId: number;
  readonly fault: string;
  readonly nodes: readonly number[];
  readonly words: string;
  /** None at the beginning. */
  readonly evidence: Evidence;
  /** At the end. */
  readonly hasBitten?: boolean;
}

const STABLE_PERIOD_MS = 8_000;
const HOLD_MS = [1_000, 4_000] as const;
const QUIET_SHARE = 0.25;
const QUIET_MS_MIN = 500;
const PAUSE_MS = [200, 1_500] as const;
/** Of faults in a mix. */
const MIX_COUNT_MAX = 3;
const NAP_MS = 20;
/** Of faults that reach all: as often, the next one waits until somebody leads again. */
const RECOVERED_SHARE = 0.75;
const RECOVERY_MS_MAX = 20_000;
const SERVICE_MS = 1_000;

export class Nemesis {
  readonly faults: readonly Fault[];
  readonly leftOut: readonly LeftOutFault[];
  readonly #init: NemesisInit;
  readonly #prng: Prng;
  readonly #harm: Harm;
  readonly #coverage: Coverage;
  #hitCount = 0;
  #isStopping = false;
  #running: Promise<void> | undefined;

  constructor(init: NemesisInit) {
    const { cluster, seed, crashClients, isNamed = false } = init;
    this.#init = init;
    this.#prng = new Prng(seed);
    const ground: FaultGround = {
      nodeCount: cluster.founders.length,
      nameServerCount: cluster.plan.nameServers.length,
      forgets: cluster.forgets,
      hasPlainFiles: cluster.hasPlainFiles,
      hasClients: crashClients !== undefined,
      linkLacks: cluster.links.lacks,
    };
    this.faults = init.faults.filter(({ needs }) => lackOf(needs, ground) === undefined);
    this.leftOut = init.faults.flatMap(({ name: fault, needs }) => {
      const lack = lackOf(needs, ground);
      return lack === undefined ? [] : [{ fault, lack }];
    });
    this.#harm = new Harm(
      () => cluster.memberIds,
      (nodeId) => cluster.isServing(nodeId),
    );
    this.#coverage = new Coverage(this.faults, ({ bitesNeeded }) =>
      isNamed && bitesNeeded !== undefined ? bitesNeeded(cluster.founders.length) : 1,
    );
  }

  /** Begins. @returns once it was stopped. @throws Error if the cluster does not recover. */
  run(): Promise<void> {
    this.#running ??= this.#init.order === "mix" ? this.#runMix() : this.#runTurns();
    return this.#running;
  }

  /**
   * No further faults.
   *
   * @param patienceMs - For the cluster to become whole; see {@link untilWhole}.
   * @returns once all are over, and the cluster is whole.
   */
  async stop(patienceMs?: number): Promise<void> {
    this.#isStopping = true;
    await this.#running;
    await untilWhole(this.#init.cluster, patienceMs);
  }

  /** Names of faults that have not bitten as often as is asked of them. */
  get missing(): readonly string[] {
    const bitten = this.#coverage.bitten();
    return this.faults.map(({ name }) => name).filter((name) => !bitten.has(name));
  }

  /** What each fault has done so far. */
  coverage(): readonly FaultCoverage[] {
    return this.#coverage.faults();
  }

  async #runMix(): Promise<void> {
    while (!this.#isStopping) {
      const periodMs = this.#init.stablePeriodMs ?? STABLE_PERIOD_MS;
      const endMs = performance.now() + periodMs;
      const mix = this.#prng.chance(QUIET_SHARE) ? [] : this.#pickMix();
      if (mix.length === 0) await this.#nap(this.#prng.between(QUIET_MS_MIN, periodMs));
      // Each has its own chance: which of them comes first may depend on the machine.
      else await allDone(mix.map((fault) => this.#repeat(fault, this.#prng.fork(), endMs)));
    }
  }

  async #runTurns(): Promise<void> {
    for (let turn = 0; !this.#isStopping; turn++) {
      const bitten = this.#coverage.bitten();
      const left = this.faults.filter(({ name }) => !bitten.has(name));
      const turns = left.length > 0 ? left : this.faults;
      const fault = turns[turn % turns.length];
      if (fault === undefined) return;
      await this.#hit(fault, this.#prng);
      await this.#nap(this.#prng.between(...(this.#init.pauseMs ?? PAUSE_MS)));
    }
  }

  /** At least one; those first that have not bitten. One that takes all has no other beside it. */
  #pickMix(): Fault[] {
    const bitten = this.#coverage.bitten();
    const all = this.#prng.shuffle([...this.faults]);
    const left = all.filter(({ name }) => !bitten.has(name));
    // Of few that were asked for by name, those that have bitten would take the others' victims.
    const isForLeft = this.#init.isNamed === true && left.length > 0;
    const byNeed = isForLeft ? left : [...left, ...all.filter(({ name }) => bitten.has(name))];
    const mix = byNeed.slice(0, 1);
    const count = this.#prng.between(1, MIX_COUNT_MAX + 1);
    for (const fault of byNeed.slice(1)) {
      if (mix.length === count) break;
      const together = [...mix, fault];
      const isTotal = together.some(({ reach }) => reach === "all");
      if (!isTotal || together.filter(({ reach }) => reach !== "nobody").length === 1)
        mix.push(fault);
    }
    return mix;
  }

  async #repeat(fault: Fault, prng: Prng, endMs: number): Promise<void> {
    do {
      await this.#nap(prng.between(...(this.#init.pauseMs ?? PAUSE_MS)));
      if (this.#isStopping) return;
      const hasHit = await this.#hit(fault, prng);
      // There are others that have not bitten at all.
      if (hasHit && this.#coverage.bitten().size < this.faults.length) return;
    } while (performance.now() < endMs);
  }

  /** @returns whether there was somebody to hit. */
  async #hit(fault: Fault, prng: Prng): Promise<boolean> {
    const { cluster, crashClients, holdMs = HOLD_MS } = this.#init;
    const context: FaultContext = { cluster, prng, harm: this.#harm, crashClients };
    await this.#startEnded();
    const hit = await fault.begin(context);
    if (hit === undefined) {
      this.#coverage.onSkipped(fault.name);
      return false;
    }
    const hitId = this.#hitCount;
    this.#hitCount += 1;
    this.#tell({ type: "begin", hitId, fault: fault.name, evidence: {} }, hit);
    const { holdMsMin = 0, holdMsMax = Number.POSITIVE_INFINITY } = fault;
    await this.#nap(Math.max(holdMsMin, Math.min(prng.between(...holdMs), holdMsMax)));
    const { evidence, hasBitten } = await hit.end();
    this.#coverage.onEnd(fault.name, { evidence, hasBitten });
    this.#tell({ type: "end", hitId, fault: fault.name, evidence, hasBitten }, hit);
    if (fault.reach === "all" && prng.chance(RECOVERED_SHARE)) await this.#letServe();
    return true;
  }

  /** Else a machine that starts nodes slowly has a cluster that is down all the time. */
  async #letServe(): Promise<void> {
    const { cluster } = this.#init;
    const endMs = performance.now() + RECOVERY_MS_MAX;
    while (cluster.leaderId() === undefined && performance.now() < endMs && !this.#isStopping)
      await sleep(NAP_MS);
    await this.#nap(SERVICE_MS);
  }

  /** That is a finding of the run, and the others are not to pay for it. */
  async #startEnded(): Promise<void> {
    const { cluster } = this.#init;
    for (const nodeId of this.#harm.ended) {
      const claim = this.#harm.claimEnded(nodeId);
      try {
        await cluster.node(nodeId).kill();
        await cluster.startNode(nodeId);
      } finally {
        claim.release();
      }
    }
  }

  #tell(event: Omit<NemesisEvent, "at" | "nodes" | "words">, { nodes, words }: Hit): void {
    this.#init.onEvent({ at: process.hrtime.bigint(), ...event, nodes, words });
  }

  /** Ends early when it is to stop. */
  async #nap(milliseconds: number): Promise<void> {
    const endMs = performance.now() + milliseconds;
    while (!this.#isStopping && performance.now() < endMs)
      await sleep(Math.min(NAP_MS, endMs - performance.now()));
  }
}

/** All of them end, also when one fails: each heals what it did. @throws the first failure. */
async function allDone(work: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}
