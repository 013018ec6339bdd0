/**
 * What publishing is measured against: a bare program that moves the same bytes over the same hops,
 * to the same number of disks through the cache, and knows nothing of messages.
 */

import { BARE_SERVERS, bareLoad, SpikeGroup, type SpikeLoad } from "../spike/spike-group.ts";
import type { Contender, RunningContender } from "./contender.ts";
import { liveServers, makeFolder, removeFolder } from "./leftovers.ts";
import type { PeerCard } from "./peer-table.ts";
import { ownWarmUpMs, WARM_UP_BODY_BYTES, warmUpsOf } from "./warm-up.ts";
import { type ClosedLoop, KB, type Outcome, type Workload } from "./workload.ts";

/** The best of them counts. */
const CONTAINER_KB = [64, 256, 1_024];
/** Its loads know of time alone: whether they were enough is seen in between. */
const WARM_UP_STEP_MS = 1_000;
const CARD: PeerCard = {
  version: "of this folder",
  durability: "fsync on a majority; opaque containers, no consensus, nothing read back",
  isBare: true,
};

export const BARE: Contender = {
  name: "bare",
  takes: ({ closedLoop }) => closedLoop !== undefined,
  start: (parent) => RunningBare.start(parent),
};

class RunningBare implements RunningContender {
  readonly card = CARD;
  readonly #folder: string;
  readonly #pids: number[] = [];
  #group: SpikeGroup | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async start(parent: string): Promise<RunningBare> {
    const bare = new RunningBare(makeFolder(parent, "peers-bare-"));
    try {
      bare.#group = await SpikeGroup.start(BARE_SERVERS, bare.#folder, (pid) => {
        bare.#pids.push(pid);
        liveServers.add(pid);
      });
      return bare;
    } catch (error) {
      await bare.stop();
      throw error;
    }
  }

  async warmUp(timeMs: number): Promise<void> {
    for (const { inFlight, ms, messagesMax } of warmUpsOf(timeMs)) {
      const load = bareLoad({ messageBytes: WARM_UP_BODY_BYTES, inFlight });
      let left = messagesMax;
      for (let spentMs = 0; spentMs < ms && left > 0; spentMs += WARM_UP_STEP_MS) {
        const stepMs = Math.min(WARM_UP_STEP_MS, ms - spentMs);
        const { messagesPerSecond } = await this.#running.load(load, stepMs, 0);
        left -= (messagesPerSecond * stepMs) / 1_000;
      }
    }
  }

  async measure(
    { name, closedLoop }: Workload,
    { timeMs }: { readonly timeMs: number },
  ): Promise<Outcome> {
    if (closedLoop === undefined) throw new Error(`nothing bare is like "${name}"`);
    const outcomes: Outcome[] = [];
    for (const load of bareLoadsOf(closedLoop)) outcomes.push(await this.#loaded(load, timeMs));
    return bestOf(outcomes);
  }

  stop(): Promise<void> {
    this.#group?.stop();
    for (const pid of this.#pids) liveServers.delete(pid);
    removeFolder(this.#folder);
    return Promise.resolve();
  }

  get #running(): SpikeGroup {
    if (this.#group === undefined) throw new Error("the bare program is loaded before it runs");
    return this.#group;
  }

  async #loaded(load: SpikeLoad, timeMs: number): Promise<Outcome> {
    const figures = await this.#running.load(load, timeMs, ownWarmUpMs(timeMs));
    const { messagesPerSecond } = figures;
    return {
      values: [messagesPerSecond],
      beside: {
        "p50 ms": figures.p50Ms,
        "p99 ms": figures.p99Ms,
        "client us": figures.cpuMicrosPerMessage,
        "servers us": figures.serverCpuMicrosPerMessage,
        "container KB": load.containerBytes / KB,
      },
      faults: messagesPerSecond > 0 ? [] : ["nothing was acknowledged"],
    };
  }
}

/** The same messages in containers of several sizes, none larger than what is under way. */
export function bareLoadsOf({ bodyBytes, inFlight }: ClosedLoop): SpikeLoad[] {
  const load = { messageBytes: bodyBytes, inFlight };
  const loads = CONTAINER_KB.map((kb) => bareLoad(load, kb * KB));
  const sizes = loads.map(({ containerBytes }) => containerBytes);
  return loads.filter(({ containerBytes }, at) => sizes.indexOf(containerBytes) === at);
}

/** @param outcomes - At least one, each of one value. */
export function bestOf(outcomes: readonly Outcome[]): Outcome {
  return outcomes.reduce((best, other) =>
    (other.values[0] ?? 0) > (best.values[0] ?? 0) ? other : best,
  );
}
