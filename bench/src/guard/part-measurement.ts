/** One measurement of a part: both sides are started, run turn about, and end. */

import { mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { boundedBy } from "../peers/bounded-by.ts";
import { liveFolders } from "../peers/leftovers.ts";
import { spreadOf } from "../spread.ts";
import { alternate } from "./alternation.ts";
import type { GuardPart } from "./guard-part.ts";
import type { GuardFigure } from "./guard-verdict.ts";
import { otherLoad, readProcessors } from "./other-load.ts";

/** Of one side: short, so that what is slow for a while is so for both. */
export const ROUND_MS = 300;
const ROUNDS = 7;
/** Of all rounds; the fewest that there may be may take longer. */
const ROUNDS_MS = 12_000;
/** With the start: whatever takes longer hangs. */
const PATIENCE_MS = 100_000;

/**
 * @param folder - Where the temporary folder of the measurement is made.
 * @returns the figure of each case of the part.
 * @throws if something cannot be started, fails under load, or hangs.
 */
export async function measurePart(
  part: GuardPart,
  folder: string,
): Promise<Map<string, GuardFigure>> {
  const directory = mkdtempSync(join(resolve(folder), "guard-"));
  liveFolders.add(directory);
  const figures = await boundedBy(PATIENCE_MS, runPart(part, directory));
  rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  liveFolders.delete(directory);
  return figures;
}

async function runPart(part: GuardPart, directory: string): Promise<Map<string, GuardFigure>> {
  const { pairs, stop } = await part.start(directory);
  try {
    const until = performance.now() + ROUNDS_MS;
    const before = readProcessors();
    const ratios = await alternate(
      pairs.filter(({ name }) => part.cases.includes(name)),
      { roundMs: ROUND_MS, rounds: ROUNDS, isTimeOver: () => performance.now() > until },
    );
    const others = otherLoad(before, readProcessors());
    return new Map(
      [...ratios].map(([name, values]) => [
        name,
        { ratio: spreadOf(values)?.median ?? Number.NaN, others },
      ]),
    );
  } finally {
    await stop();
  }
}
