/**
 * Ports for nodes that are started again and again.
 *
 * Not those that the kernel gives for port 0: while a node is down, the same range serves
 * connections that are dialed, one of which would then have its port.
 */

import { readFileSync } from "node:fs";
import { createServer } from "node:net";

const LOWEST = 10_000;
const FALLBACK_RANGE_START = 32_768;
const ATTEMPT_COUNT_MAX = 200;

const taken = new Set<number>();

/** @returns a port that nobody listens on, given once in this process. */
export async function freePort(): Promise<number> {
  const end = ephemeralRangeStart();
  for (let attempt = 0; attempt < ATTEMPT_COUNT_MAX; attempt++) {
    const port = LOWEST + Math.floor(Math.random() * (end - LOWEST));
    if (taken.has(port) || !(await isFree(port))) continue;
    taken.add(port);
    return port;
  }
  throw new Error(`no free port in [${LOWEST}, ${end})`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => {
      resolve(false);
    });
    server.listen({ host: "127.0.0.1", port }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}

function ephemeralRangeStart(): number {
  try {
    const text = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8");
    return Math.max(LOWEST + 1_000, Number.parseInt(text, 10));
  } catch {
    // Not Linux: the range begins at 49152 or so.
    return FALLBACK_RANGE_START;
  }
}
