/** Why a peer's message was not acted on. Dropping is safe: Raft's network may lose anything. */

export type DropReason =
  /** Not a message at all: a field is missing, out of range, or contradicts another. */
  | "malformed"
  /** Meant for another node. */
  | "misaddressed"
  /** Meant for, or sent by, an earlier life of a node's disk. */
  | "stale-incarnation"
  /** An answer of a follower from before it may have lost what it acknowledged: see Loss. */
  | "stale-loss"
  /** An answer from a node that is not in this node's configuration. */
  | "not-a-member"
  /** From a term that has passed. */
  | "stale-term"
  /** Would rewrite what is committed, or tell of a second leader in one term: a peer is broken. */
  | "contradiction"
  /** Nothing this node in its role has to act on. */
  | "unexpected"
  /** A limit of this node is reached. */
  | "overloaded";

export type DropCounts = Readonly<Record<DropReason, number>>;

export function noDrops(): Record<DropReason, number> {
  return {
    malformed: 0,
    misaddressed: 0,
    "stale-incarnation": 0,
    "stale-loss": 0,
    "not-a-member": 0,
    "stale-term": 0,
    contradiction: 0,
    unexpected: 0,
    overloaded: 0,
  };
}
