/** Somebody who writes all the time, whatever becomes of it. */

import type { TestCluster } from "../../src/cluster/test-cluster.ts";

interface Load {
  /** @returns how many writes were acknowledged. */
  stop(): Promise<number>;
}

const WRITERS = 3;
const CALL_MS = 1_000;
const BACKOFF_MS = 20;
/** So that segments are sealed within seconds. */
const RECORD_BYTES = 1_000;

/** On a cluster of kind `log`. */
export function loadOn(cluster: TestCluster): Load {
  const over = new AbortController();
  let written = 0;
  const addresses = [...cluster.target.nodes.values()];
  const write = async (first: number): Promise<void> => {
    for (let turn = first; !over.signal.aborted;) {
      const isDone = await append(addresses[turn % addresses.length] ?? "");
      if (isDone) written += 1;
      else {
        turn += 1;
        await new Promise((resolve) => setTimeout(resolve, BACKOFF_MS));
      }
    }
  };
  const work = Array.from({ length: WRITERS }, (_, i) => write(i));
  return {
    stop: async () => {
      over.abort();
      await Promise.all(work);
      return written;
    },
  };
}

async function append(address: string): Promise<boolean> {
  const call = { value: 1, bytes: RECORD_BYTES, timeoutMs: CALL_MS };
  try {
    const response = await fetch(`http://${address}/append`, {
      method: "POST",
      body: JSON.stringify(call),
      signal: AbortSignal.timeout(2 * CALL_MS),
    });
    await response.text();
    return response.ok;
  } catch {
    // Whether it was stored or not: the next node is asked next.
    return false;
  }
}
