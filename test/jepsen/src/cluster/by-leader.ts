/** What only a leader does, asked of whoever leads until it is done. */

import { PatienceError, ProcessCallError } from "@quorumlog/integration/testing";
import type { NodeProcess } from "./node-process.ts";
import type { TestCluster } from "./test-cluster.ts";

/** Somebody else leads, or will; or it is done already, or can be a moment later. */
const PASSING: ReadonlySet<string | undefined> = new Set([
  "CLOSED",
  "DISK_FULL",
  "ENDED",
  "FAILED",
  "LEADERSHIP_LOST",
  "MEMBERSHIP_REFUSED",
  "NOT_LEADER",
  "NOT_RUNNING",
  "OVERLOADED",
  "TIMEOUT",
]);
const PATIENCE_MS = 120_000;

/** @throws Error if nobody does it in time, or it is refused for good. */
export async function byLeader<T>(
  cluster: TestCluster,
  what: string,
  ask: (leader: NodeProcess) => Promise<T>,
): Promise<T> {
  let last = "nobody leads";
  try {
    const done = await cluster.until(
      what,
      async () => {
        try {
          return { value: await ask(await cluster.leader()) };
        } catch (error) {
          if (!isPassing(error)) throw error;
          last = (error as Error).message;
          return undefined;
        }
      },
      PATIENCE_MS,
    );
    return done.value;
  } catch (error) {
    throw new Error(`${what}: ${last}`, { cause: error });
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof PatienceError) return true;
  return error instanceof ProcessCallError && PASSING.has(error.code);
}
