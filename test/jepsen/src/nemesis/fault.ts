/** What can happen to a cluster: a fault hits somebody, and later it is over. */

import type { Prng } from "@quorumlog/std";
import type { TestCluster } from "../cluster/test-cluster.ts";
import type { Harm } from "./harm.ts";
import type { Need } from "./need.ts";

export interface Fault {
  /** As it is chosen by: `kill-leader`. */
  readonly name: string;
  /** Of one line, for people. */
  readonly title: string;
  /**
   * How many it may take at once: nobody (it disturbs, and nobody is down), up to a minority beside
   * what other faults have taken, or all.
   */
  readonly reach: "nobody" | "minority" | "all";
  /** Where it can be there. Default: anywhere. */
  readonly needs?: Need;
  /** It lasts as long as the nemesis says, but not less than this; default 0. */
  readonly holdMsMin?: number;
  /** Nor more than this; 0: what it does takes its own time. Default: no limit. */
  readonly holdMsMax?: number;
  /** How often it has to bite, if it was asked for by name; default once. */
  readonly bitesNeeded?: (memberCount: number) => number;
  /**
   * Hits somebody.
   *
   * @returns `undefined` if there is nobody now whom it may hit.
   */
  begin(context: FaultContext): Promise<Hit | undefined>;
}

export interface FaultContext {
  readonly cluster: TestCluster;
  /** Ends a process of clients, and starts another; says which. `undefined`: there are none. */
  readonly crashClients: (() => Promise<string>) | undefined;
  readonly prng: Prng;
  readonly harm: Harm;
}

/** A fault that is under way. */
export interface Hit extends FaultWords {
  /** Everything is as it was before, if it is not over yet. Called once. */
  end(): Promise<FaultEnd>;
}

/** Whom it has hit. */
export interface FaultWords {
  readonly nodes: readonly number[];
  /** Of one line. */
  readonly words: string;
}

/** What shows that it bit; figures are added up over a run. */
export type Evidence = Readonly<Record<string, number | string | boolean>>;

export interface FaultEnd {
  readonly evidence: Evidence;
  /** It was what it is called: somebody was down, bytes were kept, a sync failed. */
  readonly hasBitten: boolean;
}
