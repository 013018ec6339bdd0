/** `npm run bench -- NAME`: measurements, each beside a bare counterpart in the same run. */

import { runCoreBench } from "./core-bench.ts";
import { runSpikeBench } from "./spike/spike-bench.ts";

const HELP = `usage: npm run bench -- NAME [--time MS]

core      the consensus core: proposals, append replies, follower appends; bytes allocated
spike     the data path that the formats were chosen by: containers, peers, ways to sync
--time    how long each case runs, in milliseconds; in [50, 60000], default 1000`;

const BENCHES = new Map([
  ["core", runCoreBench],
  ["spike", runSpikeBench],
]);

async function main(words: readonly string[]): Promise<number> {
  if (words.length === 0 || words.includes("--help")) {
    console.log(HELP);
    return words.length === 0 ? 2 : 0;
  }
  const [name, flag, value, ...rest] = words;
  const timeMs = flag === undefined ? 1_000 : Number(value);
  const isTime = Number.isInteger(timeMs) && timeMs >= 50 && timeMs <= 60_000;
  const run = name === undefined ? undefined : BENCHES.get(name);
  if (
    run === undefined ||
    (flag !== undefined && flag !== "--time") ||
    !isTime ||
    rest.length > 0
  ) {
    console.error(`not understood: ${words.join(" ")}\n\n${HELP}`);
    return 2;
  }
  await run({ timeMs });
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
