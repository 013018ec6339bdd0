/** Waits for ports of a cluster before, whose processes may still be ending. */

import { createServer } from "node:net";
import { UsageError } from "../settings.ts";
import { pause } from "../process-life.ts";

const PATIENCE_MS = 12_000;
const LOOK_MS = 200;

/** @param addresses - As `host:port`. @throws UsageError that names those that others have */
export async function untilFree(addresses: readonly string[], signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const free = await Promise.all(addresses.map((address) => isFree(address)));
    const taken = addresses.filter((_, i) => free[i] !== true);
    if (taken.length === 0 || signal.aborted) return;
    if (performance.now() > deadline)
      throw new UsageError([
        `other processes listen on ${taken.join(", ")}, where this cluster has been before:`,
        "stop them, or name another --data",
      ]);
    await pause(LOOK_MS, signal);
  }
}

function isFree(address: string): Promise<boolean> {
  const colon = address.lastIndexOf(":");
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => {
      resolve(false);
    });
    server.listen(Number(address.slice(colon + 1)), address.slice(0, colon), () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
