/** `npm run bench -- NAME`: measurements, each beside a bare counterpart in the same run. */

import {
  exitCodeOf,
  FlagError,
  type FlagsOf,
  type FlagSpecs,
  readFlags,
  refuseFlags,
} from "@quorumlog/std";
import { runBacklogBench } from "./backlog-bench.ts";
import { runBrokerBench } from "./broker-bench.ts";
import { runBrokerSoakBench } from "./broker-soak-bench.ts";
import { runCoreBench } from "./core-bench.ts";
import { drawingOf } from "./drawings/drawings.ts";
import { runFailoverBench } from "./failover-bench.ts";
import { runGuardBench } from "./guard-bench.ts";
import { runLogBench } from "./log-bench.ts";
import { drawOutcome } from "./outcome/outcome.ts";
import { runPeersBench } from "./peers-bench.ts";
import { runReplicaBench } from "./replica-bench.ts";
import { runScaleBench } from "./scale-bench.ts";
import { runSoakBench } from "./soak-bench.ts";
import { runSpikeBench } from "./spike/spike-bench.ts";
import { runTopicsBench } from "./topics-bench.ts";

const HELP = `usage: npm run bench -- core|spike [--time MS]
       npm run bench -- log [--rounds N] [--open-gb N]
       npm run bench -- replica [--rounds N] [--time MS]
       npm run bench -- broker [--rounds N] [--time MS] [--only NAME] [--tls]
       npm run bench -- peers [--rounds N] [--time MS] [--kills N] [--only NAME]
             [--systems A,B] [--kafka DIR]
       npm run bench -- topics [--rounds N] [--time MS]
       npm run bench -- scale [--rounds N] [--time MS] [--only A,B] [--steps N] [--most N]
             [--in-flight N] [--read-back]
       npm run bench -- backlog [--millions N]
       npm run bench -- failover [--times N]
       npm run bench -- guard [--only NAME] [--record]
       npm run bench -- soak [--minutes N] [--load SHARE]
       npm run bench -- broker-soak [--minutes N] [--in-flight N]
       npm run bench -- plot FILE.json ...

Each writes NAME.json, NAME.svg and NAME.png into out/bench.

core       the consensus core: proposals, append replies, follower appends; bytes allocated
spike      the data path that the formats were chosen by: containers, peers, ways to sync
log        the log on a disk: appends beside a bare loop, opening a long log
replica    three replicas in their own processes, beside a bare program
broker     messages through a broker group and back, beside a bare program
peers      beside RabbitMQ, NATS, etcd and Kafka, those that are here, and a bare program:
           docs/benchmarks.md
topics     a thousand topics and 200 consumer groups beside one topic, and a restart
scale      how cost grows with messages stored, queues, topics, consumer groups, replicas, message
           size and broker groups, each beside a small case
backlog    publishing while a backlog is drained
failover   how long nothing is acknowledged when the leader is lost
guard      core, log, replica and broker beside recorded figures: fails below half of them
soak       a steady load for long: memory, disk, stalls, losses
broker-soak  a broker group under a full load for long: memory, disk, losses
plot       pictures of JSON that a bench has written, drawn again beside it
--time     how long each case runs, in milliseconds; in [50, 60000], default 1000
--rounds   rounds, bare and the real thing turn about; in [0, 99], default 5
--only     cases whose name has this in it, as in "quorum 1 KB"; default all
           of scale: messages, queues, spread, topics, groups, replicas, sizes, brokers
--steps    of each dimension, the first ones; in [1, 99], default 99
--most     no step above it, as in "--only messages --most 5000000"; default all
--in-flight  messages under way; in [1, 100000], default 10000
--read-back  everything is read back at the end, and not a sample
--systems  which others, as in "nats,etcd"; default all that are installed
--kafka    the folder of the jars of a release of Kafka; default: it is left out
--kills    leaders that are killed in each round; in [1, 100], default 3
--tls      with certificates on every port
--record   what is measured is what the next runs are held against, in bench/guard.json
--times    faults of each kind; in [1, 1000], default 30
--millions messages of the backlog, in millions; in [1, 1000], default 5
--minutes  how long the load is held; in [1, 10000], default 30
--load     of the peak, which is measured first; in [0.01, 1], default 0.5
--open-gb  GB of the log that is opened, which are written first; in [0, 1000], default 1;
           with 10: npm run bench -- log --rounds 0 --open-gb 10`;

const FLAGS = {
  time: { type: "integer", min: 50, max: 60_000, fallback: 1_000 },
  rounds: { type: "integer", min: 0, max: 99, fallback: 5 },
  times: { type: "integer", min: 1, max: 1_000, fallback: 30 },
  "open-gb": { type: "integer", min: 0, max: 1_000, fallback: 1 },
  minutes: { type: "integer", min: 1, max: 10_000, fallback: 30 },
  millions: { type: "integer", min: 1, max: 1_000, fallback: 5 },
  load: { type: "number", min: 0.01, max: 1, fallback: 0.5 },
  kills: { type: "integer", min: 1, max: 100, fallback: 3 },
  steps: { type: "integer", min: 1, max: 99, fallback: 99 },
  most: { type: "integer", min: 0, max: 1_000_000_000, fallback: 1_000_000_000 },
  "in-flight": { type: "integer", min: 1, max: 100_000, fallback: 10_000 },
  "read-back": { type: "switch" },
  only: { type: "text" },
  systems: { type: "text" },
  kafka: { type: "text" },
  tls: { type: "switch" },
  record: { type: "switch" },
} as const satisfies FlagSpecs;

interface BenchEntry {
  readonly flags: readonly (keyof typeof FLAGS)[];
  /** What it returns is the exit code; 0 if that is nothing. */
  readonly run: (values: FlagsOf<typeof FLAGS>) => Promise<void> | Promise<number>;
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
    "broker-soak",
    {
      flags: ["minutes", "in-flight"],
      run: ({ minutes, "in-flight": inFlight }) => runBrokerSoakBench({ minutes, inFlight }),
    },
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
    "peers",
    {
      flags: ["time", "rounds", "kills", "only", "systems", "kafka"],
      run: ({ time, rounds, kills, only, systems, kafka }) =>
        runPeersBench({ timeMs: time, rounds, kills, only, systems, folders: { kafka } }),
    },
  ],
  [
    "topics",
    {
      flags: ["time", "rounds"],
      run: ({ time, rounds }) => runTopicsBench({ timeMs: time, rounds }),
    },
  ],
  [
    "scale",
    {
      flags: ["time", "rounds", "only", "steps", "most", "in-flight", "read-back"],
      run: ({ time, "in-flight": inFlight, "read-back": readsBack, ...rest }) =>
        runScaleBench({ ...rest, timeMs: time, inFlight, readsBack }),
    },
  ],
  ["backlog", { flags: ["millions"], run: ({ millions }) => runBacklogBench({ millions }) }],
  ["failover", { flags: ["times"], run: ({ times }) => runFailoverBench({ times }) }],
  [
    "guard",
    {
      flags: ["only", "record"],
      run: ({ only, record: isRecorded }) => runGuardBench({ only, isRecorded }),
    },
  ],
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
  if (name === "plot") {
    if (rest.length === 0) throw new FlagError(["plot: of which FILE.json?"]);
    for (const file of rest) await drawOutcome(file, drawingOf);
    return 0;
  }
  const bench = BENCHES.get(name);
  if (bench === undefined)
    throw new FlagError([`there is no bench "${name}", but ${[...BENCHES.keys()].join(", ")}`]);
  const { flags, given, problems } = readFlags(FLAGS, rest);
  for (const flag of given)
    if (!bench.flags.includes(flag)) problems.push(`--${flag} is nothing to bench ${name}`);
  refuseFlags(problems);
  return (await bench.run(flags)) ?? 0;
}

process.exitCode = await exitCodeOf(
  () => main(process.argv.slice(2)),
  (line) => {
    console.error(line);
  },
);
