/**
 * The numbers of Raft, told apart by the compiler.
 *
 * Each is a *flavoured* number: a plain number may be used where a `Term` is wanted, so arithmetic
 * needs no casts, but a `LogIndex` may not, so swapped arguments do not compile. They are safe
 * integers and never bigint: at 10 million entries a second, 2^53 lasts 28 years, and a compare
 * costs a thirtieth.
 */

declare const flavor: unique symbol;

/** Raft's logical clock (paper §5.1). 0 before the first election. */
export type Term = number & { readonly [flavor]?: "Term" };

/** A position in the log (paper §5.3). The first entry has index 1; 0 is "before the log". */
export type LogIndex = number & { readonly [flavor]?: "LogIndex" };

/** A server's name in its group: a positive safe integer, chosen by the operator. */
export type NodeId = number & { readonly [flavor]?: "NodeId" };

/**
 * Which life of a node's disk this is. A node that lost its disk returns with a higher one, and is
 * then not the voter that its id once was: what that voter promised is gone.
 */
export type Incarnation = number & { readonly [flavor]?: "Incarnation" };

/** The core's unit of time, whatever the driver makes of it (10 ms, say). */
export type Ticks = number & { readonly [flavor]?: "Ticks" };

/** No count from outside may exceed this, so that sums of two stay exact. */
const COUNT_MAX: number = 2 ** 52;

/** Whether a value from outside is an integer in `[min, COUNT_MAX]`. */
export function isCount(value: unknown, min: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= COUNT_MAX;
}
