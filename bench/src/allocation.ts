/** How many bytes a run allocates, measured with the collector held off. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/**
 * The median number of heap bytes that one call of a prepared run allocates.
 *
 * A round in which the collector ran anyway shows as too little, or less than nothing; the median
 * of nine rounds passes over it.
 */
export function allocatedBytes(prepare: () => () => void): number {
  const rounds: number[] = [];
  for (let round = 0; round < 9; round++) {
    const run = prepare();
    collect();
    const before = process.memoryUsage().heapUsed;
    run();
    rounds.push(process.memoryUsage().heapUsed - before);
  }
  return rounds.sort((a, b) => a - b)[4] ?? 0;
}
