/** `npm run bench -- NAME`: measurements, each beside a bare counterpart in the same run. */

import { parseArgs } from "node:util";
import { runBacklogBench } from "./backlog-bench.ts";
import { runBrokerBench } from "./broker-bench.ts";
import { runCoreBench } from "./core-bench.ts";
import { runFailoverBench } from "./failover-bench.ts";
import { runLogBench } from "./log-bench.ts";
import { runReplicaBench } from "./replica-bench.ts";
import { runSoakBench } from "./soak-bench.ts";
import { runSpikeBench } from "./spike/spike-bench.ts";
import { runTopicsBench } from "./topics-bench.ts";

const HELP = `usage: npm run bench -- core|spike [--time MS]
       npm run bench -- log [--rounds N] [--open-gb N]
       npm run bench -- replica [--rounds N] [--time MS]
       npm run bench -- broker [--rounds N] [--time MS] [--only NAME] [--tls]
       npm run bench -- topics [--rounds N] [--time MS]
       npm run bench -- backlog [--millions N]
       npm run bench -- failover [--times N]
       npm run bench -- soak [--minutes N] [--load SHARE]

core       the consensus core: proposals, append replies, follower appends; bytes allocated
spike      the data path that the formats were chosen by: containers, peers, ways to sync
log        the log on a disk: appends beside a bare loop, opening a long log; in out/bench
replica    three replicas in their own processes, beside a bare program; in out/bench
broker     messages through a broker group and back, beside a bare program; in out/bench
topics     a thousand topics and 200 consumer groups beside one topic, and a restart; in out/bench
backlog    publishing while a backlog is drained; in out/bench
failover   how long nothing is acknowledged when the leader is lost; in out/bench
soak       a steady load for long: memory, disk, stalls, losses; in out/bench, with a plot
--time     how long each case runs, in milliseconds; in [50, 60000], default 1000
--rounds   rounds, bare and the real thing turn about; in [0, 99], default 5
--only     cases whose name has this in it, as in "quorum 1 KB"; default all
--tls      with certificates on every port
--times    faults of each kind; in [1, 1000], default 30
--millions messages of the backlog, in millions; in [1, 1000], default 5
--minutes  how long the load is held; in [1, 10000], default 30
--load     of the peak, which is measured first; in [0.01, 1], default 0.5
--open-gb  GB of the log that is opened, which are written first; in [0, 1000], default 1;
           with 10: npm run bench -- log --rounds 0 --open-gb 10`;

type Flag = "time" | "rounds" | "open-gb" | "times" | "minutes" | "millions" | "load";
type Values = Readonly<Record<Flag, number>> & {
  readonly only: string | undefined;
  readonly tls: boolean;
};

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly fallback: number;
  /** Whether it may lie between two integers. */
  readonly isShare?: boolean;
}

const FLAGS: Readonly<Record<Flag, Bounds>> = {
  time: { min: 50, max: 60_000, fallback: 1_000 },
  rounds: { min: 0, max: 99, fallback: 5 },
  times: { min: 1, max: 1_000, fallback: 30 },
  "open-gb": { min: 0, max: 1_000, fallback: 1 },
  minutes: { min: 1, max: 10_000, fallback: 30 },
  millions: { min: 1, max: 1_000, fallback: 5 },
  load: { min: 0.01, max: 1, fallback: 0.5, isShare: true },
};

interface BenchEntry {
  readonly flags: readonly (Flag | "only" | "tls")[];
  readonly run: (values: Values) => Promise<void>;
}

const BENCHES = new Map<string, BenchEntry>([
  ["core", { flags: ["time"], run: ({ time }) => runCoreBench({ timeMs: time }) }],
  ["spike", { flags: ["time"], run: ({ time }) => runSpikeBench({ timeMs: time }) }],
  [
    "replica",
    {
      flags: ["time", "rounds"],
      run: ({ time, rounds }) => runReplicaBench({ timeMs: time, rounds }),
    },
  ],
  [
    "soak",
    { flags: ["minutes", "load"], run: ({ minutes, load }) => runSoakBench({ minutes, load }) },
  ],
  [
    "broker",
    {
      flags: ["time", "rounds", "only", "tls"],
      run: ({ time, rounds, only, tls: hasTls }) =>
        runBrokerBench({ timeMs: time, rounds, only, hasTls }),
    },
  ],
  [
    "topics",
    {
      flags: ["time", "rounds"],
      run: ({ time, rounds }) => runTopicsBench({ timeMs: time, rounds }),
    },
  ],
  ["backlog", { flags: ["millions"], run: ({ millions }) => runBacklogBench({ millions }) }],
  ["failover", { flags: ["times"], run: ({ times }) => runFailoverBench({ times }) }],
  [
    "log",
    {
      flags: ["rounds", "open-gb"],
      run: ({ rounds, "open-gb": openGigabytes }) => runLogBench({ rounds, openGigabytes }),
    },
  ],
]);

async function main(words: readonly string[]): Promise<number> {
  if (words.length === 0 || words.includes("--help")) {
    console.log(HELP);
    return words.length === 0 ? 2 : 0;
  }
  const [name = "", ...rest] = words;
  const bench = BENCHES.get(name);
  const values = bench === undefined ? undefined : parseFlags(rest, bench.flags);
  if (bench === undefined || values === undefined) {
    console.error(`not understood: ${words.join(" ")}\n\n${HELP}`);
    return 2;
  }
  await bench.run(values);
  return 0;
}

/** @returns `undefined` if a flag is not one of those, or its value is out of bounds. */
function parseFlags(words: readonly string[], flags: BenchEntry["flags"]): Values | undefined {
  const options = Object.fromEntries(
    flags.map((flag) => [
      flag,
      { type: flag === "tls" ? ("boolean" as const) : ("string" as const) },
    ]),
  );
  let given: Readonly<Record<string, string | boolean | undefined>>;
  try {
    given = parseArgs({ args: [...words], options }).values;
  } catch {
    // An unknown flag, a word too many or no value: the caller shows what there is.
    return undefined;
  }
  const values = { only: given["only"]?.toString(), tls: given["tls"] === true } as Record<
    Flag,
    number
  > &
    Values;
  for (const flag of Object.keys(FLAGS) as Flag[]) {
    const { min, max, fallback, isShare = false } = FLAGS[flag];
    const text = given[flag];
    const value = text === undefined ? fallback : text === "" ? Number.NaN : Number(text);
    const isSound = isShare ? Number.isFinite(value) : Number.isInteger(value);
    if (!isSound || value < min || value > max) return undefined;
    values[flag] = value;
  }
  return values;
}

process.exitCode = await main(process.argv.slice(2));
