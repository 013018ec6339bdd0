/** A property that the run has broken. Thrown by every checker, caught by the run of the seed. */

import type { NodeId } from "@quorumlog/raft";

export class Violation extends Error {
  override readonly name = "Violation";
  /** What was broken, in a few constant words. */
  readonly invariant: string;
  readonly nodes: readonly NodeId[];

  constructor(invariant: string, nodes: readonly NodeId[], detail: string) {
    super(`${invariant}: ${detail}`);
    this.invariant = invariant;
    this.nodes = nodes;
  }
}

/** Throws unless `condition` holds; `detail` is only built when it does not. */
export function hold(
  condition: boolean,
  invariant: string,
  nodes: readonly NodeId[],
  detail: () => string,
): void {
  if (!condition) throw new Violation(invariant, nodes, detail());
}
