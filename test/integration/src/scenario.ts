/** What a scenario is: a name, parts that are run one after another, and what comes of each. */

import type { Prng } from "@quorumlog/std";
import { checkLog } from "./checker.ts";
import { Cluster, type ClusterInit } from "./cluster.ts";
import { Journal } from "./journal.ts";
import { Load, type LoadInit } from "./load.ts";

/** How much of it: what continuous integration has time for, or all. */
export type Form = "short" | "full";

export interface PartResult {
  /** Sums over parts, or maxima for names that end in `Max`. */
  readonly counts: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
  /** Why there is nothing to tell. */
  readonly skipped?: string;
}

export interface Part {
  /** Unique within the scenario. */
  readonly name: string;
  run(context: PartContext): Promise<PartResult>;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  parts(form: Form): readonly Part[];
}

export interface PartContextInit {
  readonly prng: Prng;
  /** Of this part alone. */
  readonly directory: string;
  readonly form: Form;
  readonly progress: (text: string) => void;
}

/** What a part is given: chance, a place, and things that are put away at its end. */
export class PartContext {
  readonly prng: Prng;
  readonly directory: string;
  readonly form: Form;
  readonly progress: (text: string) => void;
  readonly journal: Journal = new Journal();
  readonly counts: Record<string, number> = {};
  readonly problems: string[] = [];
  readonly #disposals: (() => Promise<void>)[] = [];
  #cluster: Cluster | undefined;
  #load: Load | undefined;

  constructor(init: PartContextInit) {
    this.prng = init.prng;
    this.directory = init.directory;
    this.form = init.form;
    this.progress = init.progress;
  }

  get cluster(): Cluster {
    if (this.#cluster === undefined) throw new Error("no cluster was started");
    return this.#cluster;
  }

  async startCluster(init: Omit<ClusterInit, "directory" | "prng">): Promise<Cluster> {
    const { directory, prng } = this;
    this.#cluster = await Cluster.start({ ...init, directory, prng: prng.fork() });
    this.onDispose(() => this.cluster.dispose());
    return this.#cluster;
  }

  /** @throws Error if there is a load already: see {@link keepLoad}. */
  startLoad(options: Partial<LoadInit> = {}): Load {
    if (this.#load !== undefined) throw new Error("there is a load already");
    this.#load = new Load({
      journal: this.journal,
      prng: this.prng.fork(),
      nodes: this.cluster.serving,
      ...options,
    });
    this.journal.takeGapMs();
    return this.#load;
  }

  /** Starts a load, if there is none. */
  keepLoad(options: Partial<LoadInit> = {}): Load {
    return this.#load ?? this.startLoad(options);
  }

  /** Ends the load, if there is one. */
  async stopLoad(): Promise<void> {
    const load = this.#load;
    this.#load = undefined;
    await load?.stop();
    for (const [code, count] of Object.entries(load?.refusals() ?? {}))
      this.count(`refused ${code}`, count);
  }

  /** Checks everything, with no load: see `checkLog`. */
  async check(trimmedBefore: number = 0): Promise<void> {
    await this.stopLoad();
    const replicas = await this.cluster.audit();
    const { journal } = this;
    const result = checkLog({ journal, replicas, trimmedBefore });
    this.problems.push(...result.problems);
    const outputs = this.cluster.outputs();
    this.demand(outputs === "", `somebody printed something: ${outputs}`);
    this.counts["acknowledged"] = result.acknowledged;
    this.count("lost", result.lost);
    this.counts["unknown"] = journal.count("unknown");
    this.counts["unknown, stored"] = result.ambiguousStored;
  }

  count(name: string, by: number = 1): void {
    this.counts[name] = (this.counts[name] ?? 0) + by;
  }

  /** @param name - Ends in `Max`. */
  countMax(name: string, value: number): void {
    this.counts[name] = Math.max(this.counts[name] ?? 0, value);
  }

  demand(condition: boolean, problem: string): void {
    if (!condition) this.problems.push(problem);
  }

  /** Called at the end of the part, the last one first. */
  onDispose(run: () => Promise<void>): void {
    this.#disposals.push(run);
  }

  result(): PartResult {
    return { counts: this.counts, problems: this.problems };
  }

  async dispose(): Promise<void> {
    // What it says now is of no interest any more.
    this.#load?.stop().catch(() => undefined);
    for (const run of this.#disposals.reverse()) await run();
  }
}
