/**
 * What Raft promises (paper, figure 3), looked at from outside after every directive.
 *
 * Election Safety: at most one leader in a term. Log Matching: two logs that agree on the term of
 * an entry agree on it and on all before it. State Machine Safety: no two state machines differ
 * at one index. What a crash takes away is not held against anyone; what was applied is.
 */

import type { Entry, LogIndex, NodeId, Snapshot, Term } from "@quorumlog/raft";
import { describeEntry } from "./describe.ts";
import type { ScriptedNode } from "./node.ts";
import { quote } from "./quote.ts";

export class Invariants {
  readonly #leaders = new Map<Term, NodeId>();
  /** What any state machine ever was, by the index it stood at. */
  readonly #states = new Map<LogIndex, string>();
  /** How much of each node's history was looked at. */
  readonly #seen = new Map<NodeId, Snapshot>();

  check(nodes: readonly ScriptedNode[]): string | undefined {
    return this.#electionSafety(nodes) ?? this.#stateMachineSafety(nodes) ?? logMatching(nodes);
  }

  #electionSafety(nodes: readonly ScriptedNode[]): string | undefined {
    for (const node of nodes) {
      if (!node.isUp) continue;
      const { role, currentTerm } = node.core.status();
      if (role !== "leader") continue;
      const other = this.#leaders.get(currentTerm);
      if (other !== undefined && other !== node.id)
        return `${other} and ${node.id} are both leaders of term ${currentTerm}`;
      this.#leaders.set(currentTerm, node.id);
    }
    return undefined;
  }

  #stateMachineSafety(nodes: readonly ScriptedNode[]): string | undefined {
    for (const { id, history } of nodes) {
      const seen = this.#seen.get(id);
      const from = seen === undefined ? 0 : history.indexOf(seen) + 1;
      for (const state of history.slice(from)) {
        const text = `${quote(state.data)} at term ${state.lastIncludedTerm}`;
        const before = this.#states.get(state.lastIncludedIndex) ?? text;
        if (before !== text)
          return `${id} applied up to ${state.lastIncludedIndex}: ${text}, another: ${before}`;
        this.#states.set(state.lastIncludedIndex, text);
        this.#seen.set(id, state);
      }
    }
    return undefined;
  }
}

function logMatching(nodes: readonly ScriptedNode[]): string | undefined {
  const logs = nodes.map((node) => ({ id: node.id, log: readLog(node) }));
  for (const [i, left] of logs.entries()) {
    for (const right of logs.slice(i + 1)) {
      const mismatch = firstMismatch(left.log, right.log);
      if (mismatch !== undefined) return `${left.id} and ${right.id} differ: ${mismatch}`;
    }
  }
  return undefined;
}

/** Downwards from the last position that agrees on its term, everything must agree. */
function firstMismatch(
  left: ReadonlyMap<LogIndex, Entry>,
  right: ReadonlyMap<LogIndex, Entry>,
): string | undefined {
  const shared = [...left.keys()].filter((index) => right.has(index)).sort((a, b) => b - a);
  let isMatching = false;
  for (const index of shared) {
    const ours = left.get(index) as Entry;
    const theirs = right.get(index) as Entry;
    if (ours.term === theirs.term) isMatching = true;
    if (isMatching && describeEntry(ours) !== describeEntry(theirs))
      return `${describeEntry(ours)}, ${describeEntry(theirs)}`;
  }
  return undefined;
}

function readLog(node: ScriptedNode): Map<LogIndex, Entry> {
  const { storage } = node;
  const low = storage.firstIndex();
  const high = storage.lastIndex() + 1;
  const entries = low < high ? storage.entries({ low, high, bytesMax: Infinity }) : [];
  return new Map((entries ?? []).map((entry) => [entry.index, entry]));
}
