// Goal: every bench has a picture, in which no text is cut off or on another, whatever was left out
// of its run; and it shows the figures that were measured.
// Method: results by hand in the shape that each bench writes, through JSON as in a file, in which
// what is no number is null; then the texts of the picture.

import { describe, expect, test } from "vitest";
import type { BacklogResults } from "../src/drawings/backlog-drawing.ts";
import type { BrokerResults } from "../src/drawings/broker-drawing.ts";
import type { BrokerSoakResults } from "../src/drawings/broker-soak-drawing.ts";
import type { CoreResults } from "../src/drawings/core-drawing.ts";
import { drawingOf } from "../src/drawings/drawings.ts";
import { FAULTS, type FailoverResults } from "../src/drawings/failover-drawing.ts";
import type { GuardResults } from "../src/drawings/guard-drawing.ts";
import type { LogResults } from "../src/drawings/log-drawing.ts";
import { measuredBar, measuredPoint } from "../src/drawings/measured.ts";
import type { PeersResults } from "../src/drawings/peers-drawing.ts";
import type { ReplicaResults } from "../src/drawings/replica-drawing.ts";
import type { SoakResults } from "../src/drawings/soak-drawing.ts";
import type { SpikeResults } from "../src/drawings/spike-drawing.ts";
import type { TopicsResults } from "../src/drawings/topics-drawing.ts";
import { GUARD_PARTS } from "../src/guard/guard-parts.ts";
import { WORKLOADS } from "../src/peers/peer-workloads.ts";
import { svgOf } from "../src/plot/svg-picture.ts";
import { textsOf, troublesOf } from "./picture-texts.ts";

const PROVENANCE = [
  "A processor with a long name @ 3.20 GHz, 64 cores, 251.4 GB \u00b7 ext4 on /dev/nvme0n1p2",
  "quorumlog 1.2.3 at 0123456789 and changes \u00b7 npm run bench -- broker --only quorum",
];
const PUBLISHED = {
  type: "published",
  messages: 98_765,
  seconds: 1,
  failed: 0,
  cpuMicros: 9,
} as const;
const published = { ...PUBLISHED, p50Ms: 1.234, p99Ms: 12.34 };
const CONSUMED = { type: "consumed", seconds: 1, read: 98_765, lost: 0, wrong: 0 } as const;
const LOAD = { entries: 5_432, seconds: 1, p50Ms: 0.7, p99Ms: 3.2, p999Ms: 9 };
const ROUND = {
  megabytesPerSecond: 123.4,
  batchesPerSecond: 1_885,
  cpuMicrosPerBatch: 12,
  p50Ms: 0.43,
  p99Ms: 12,
};

/** Up and down by up to a tenth, the same each time. */
function rounds(value: number, count = 3): number[] {
  return Array.from({ length: count }, (_, i) => value * (1 + ((i % 3) - 1) / 10));
}

const core: CoreResults = {
  timeMs: 1_000,
  rows: ["bare: a loop that does as much as has to be done", "leader of 3: a reply that commits"]
    .flatMap((name) => ["step", "batch"].map((unit) => ({ name, unit })))
    .map((row, i) => ({ ...row, perSecond: 1e6 / 8 ** i, spread: 0.2, bytesEach: 9, ofBare: 1 })),
};

const broker: BrokerResults = {
  timeMs: 1_000,
  rounds: 3,
  hasTls: true,
  rows: (["quorum", "leader", "async"] as const).flatMap((durability) =>
    [100, 1_024, 10_240].flatMap((messageBytes) =>
      [1, 64, 1_000, 10_000].map((inFlight) => ({
        durability,
        messageBytes,
        inFlight,
        rounds: rounds(inFlight ** 0.5 * 900).map((perSecond) => ({
          bare: durability === "quorum" ? perSecond * 2 : Number.NaN,
          published: { ...published, messages: perSecond },
          consumed: { ...CONSUMED, read: perSecond },
          cpuMicros: [1, 2, 3, 4],
          anonymousMb: [1, 2, 3],
        })),
      })),
    ),
  ),
};

const replica: ReplicaResults = {
  timeMs: 1_000,
  rounds: 3,
  idleShareOfCore: [0.01, 0.02, 0.03],
  cases: ["64 KB x 16", "1 KB x 4096"].map((name) => {
    const row = { ...LOAD, cpuMicros: [1, 2, 3], anonymousMb: [1, 2, 3] };
    const rows = rounds(5_432).map((perSecond) => ({ ...row, perSecond }));
    return { name, entryBytes: 1_024, inFlight: 16, bare: rows, log: rows };
  }),
};

const log: LogResults = {
  rounds: 3,
  appends: [" 4 KB x 1", " 1 MB x 8"].map((name) => ({
    name,
    load: { batchBytes: 4_096, batchCount: 1, outstandingMax: 1 },
    bare: ROUND,
    log: ROUND,
    rounds: { bare: [ROUND, ROUND], log: [ROUND] },
    ofBare: { median: 1, low: 1, high: 1 },
  })),
  open: {
    gigabytes: 10,
    segmentCount: 160,
    fillMegabytesPerSecond: 430,
    medianMs: 399,
    highMs: 411,
  },
};

const failover: FailoverResults = {
  times: 30,
  rows: FAULTS.map((fault, i) => ({ fault, perSecond: 45_678, gapsMs: rounds(6 * 5 ** i, 30) })),
};

const topics: TopicsResults = {
  timeMs: 1_000,
  rounds: 3,
  topicCount: 1_000,
  groupCount: 200,
  consumed: 1_234_567,
  rows: [1_000, 10_000].map((inFlight) => ({
    inFlight,
    one: rounds(98_765),
    many: rounds(43_210),
    consumed: rounds(41_000),
  })),
  restarts: [
    { openSeconds: 1.4, publishSeconds: 1.5 },
    { openSeconds: 1.6, publishSeconds: 1.7 },
  ],
};

const backlog: BacklogResults = {
  millions: 5,
  perSecond: 5_000,
  messageBytes: 200,
  windowMs: 5_000,
  filled: published,
  before: published,
  during: [published, published, published],
  steps: [1, 2, 3].map((step) => ({ seconds: 5 * step, consumed: 1_234_567 * step })),
};

const sample: SoakResults["series"][number][number] = {
  nodeId: 1,
  at: 0,
  rssMb: 1,
  anonymousMb: 165.4,
  heapUsedMb: 1,
  externalMb: 1,
  arrayBuffersMb: 1,
  diskMb: 279,
  cpuShare: 0.4,
  loopP99Ms: 1,
  loopMaxMs: 13,
  gcCount: 1,
  gcMs: 1,
  gcMaxMs: 1,
  stalls: [],
  acked: 1,
  failed: 0,
  ackP50Ms: 1,
  ackP99Ms: 2,
  ackMaxMs: 345,
  leaderId: 1,
  term: 1,
  appliedIndex: 1,
  firstIndex: 1,
  firstOffset: 1,
  nextOffset: 1,
  underWay: 1,
  tailed: 1,
};
const soak: SoakResults = {
  minutes: 30,
  load: 0.5,
  peak: 142_000,
  perSecond: 71_000,
  verdict: [{ what: "no trouble", isGood: false, detail: "an append failed; ".repeat(99) }],
  series: [1, 2, 3].map((nodeId) =>
    Array.from({ length: 1_800 }, (_, i) => ({ ...sample, nodeId, at: 1e12 + 1_000 * i })),
  ),
};

const brokerSoak: BrokerSoakResults = {
  minutes: 30,
  inFlight: 10_000,
  verdict: [{ what: "memory is below 400 MB", isGood: false, detail: "912 MB at most" }],
  stretches: Array.from({ length: 180 }, (_, i) => {
    const figures = { messages: 1_234_567, failed: 0, seconds: 10, p50Ms: 58, p99Ms: 98 };
    return { ...figures, gapMs: 120, at: 1e12 + 10_000 * i };
  }),
  series: [210, 180, 190].map((anonymousMb) =>
    Array.from({ length: 1_800 }, (_, i) => {
      return { at: 1e12 + 1_000 * i, anonymousMb, diskMb: 1_100, cpuShare: 0.4 };
    }),
  ),
};

const spike: SpikeResults = {
  timeMs: 1_000,
  rounds: 3,
  cases: (["bare", "full"] as const).flatMap((work) =>
    [1, 4_096].map((inFlight) => ({
      name: `${work} tcp thread`,
      server: { work, peers: "tcp", sync: "thread" },
      load: { messageBytes: 1_024, inFlight, containerBytes: 262_144, queues: 4 },
      rows: rounds(98_765).map((messagesPerSecond) => ({
        messagesPerSecond,
        p50Ms: 1,
        p99Ms: 1,
        cpuMicrosPerMessage: 1,
        serverCpuMicrosPerMessage: 1,
      })),
    })),
  ),
};

const peers: PeersResults = {
  isComplete: true,
  timeMs: 1_000,
  rounds: 3,
  kills: 3,
  notes: [],
  failures: ["round 1, kafka, start: no"],
  systems: {
    quorumlog: { version: "of this folder", durability: "fsync on a majority" },
    rabbitmq: { version: "3.10.8", durability: "fsync on a majority (quorum queue)" },
    nats: { version: "2.9.10", durability: "no fsync: this version has no sync_interval" },
    kafka: { version: "3.9", durability: "fsync on two of three" },
    bare: { version: "of this folder", durability: "no consensus", isBare: true },
  },
  workloads: WORKLOADS.map(({ name, unit, isMoreBetter, judgedBy }) => {
    return { name, unit, isMoreBetter, judgedBy };
  }),
  results: WORKLOADS.flatMap(({ name, closedLoop }) =>
    ["quorumlog", "rabbitmq", "nats", ...(closedLoop ? ["bare"] : [])].flatMap((system, i) =>
      [0, 1, 2].map((round) => ({
        system,
        workload: name,
        round,
        outcome: {
          values: rounds(98_765 / 3 ** i),
          beside: { "p99 ms": 12.3, "bare/s": 1_234_567 },
          faults: [],
        },
      })),
    ),
  ),
};

const RECORD = { ratio: 0.8, date: "2026-11-22", machine: "a machine", commit: "0123456789" };
const guard: GuardResults = {
  roundMs: 300,
  rows: GUARD_PARTS.flatMap(({ cases }) => cases).map((name, i) => ({
    name,
    figures: rounds(1 / 3 ** (i % 4), 1 + (i % 3)).map((ratio) => ({ ratio, others: 0 })),
    recorded: i % 3 === 0 ? undefined : RECORD,
    verdict: i % 3 === 0 ? "not recorded" : "holds",
  })),
};

const ALL: Readonly<Record<string, unknown>> = {
  core,
  broker,
  replica,
  log,
  failover,
  topics,
  backlog,
  soak,
  "broker-soak": brokerSoak,
  spike,
  peers,
  guard,
};

function pictureOf(bench: string, results: unknown): string {
  return svgOf(drawingOf(JSON.parse(JSON.stringify(results)), bench), PROVENANCE);
}

function wordsOf(bench: string, results: unknown): string[] {
  return textsOf(pictureOf(bench, results)).map(({ text }) => text);
}

test.each(Object.keys(ALL))("texts of the picture of %s are whole and apart", (bench) => {
  expect(troublesOf(pictureOf(bench, ALL[bench]))).toEqual([]);
});

test("what was not measured leaves a picture of what was", () => {
  const few: Record<string, unknown> = {
    broker: { ...broker, rows: broker.rows.slice(0, 1) },
    log: { ...log, appends: [] },
    peers: { ...peers, results: peers.results.slice(0, 1), failures: [] },
    replica: { ...replica, cases: replica.cases.map((each) => ({ ...each, bare: [], log: [] })) },
    soak: { ...soak, series: [[], [], []] },
    "broker-soak": { ...brokerSoak, stretches: [], series: [[], [], []] },
    backlog: { ...backlog, during: [], steps: [] },
    failover: { ...failover, rows: failover.rows.map((row) => ({ ...row, gapsMs: [] })) },
  };

  for (const [bench, results] of Object.entries(few))
    expect(troublesOf(pictureOf(bench, results))).toEqual([]);
});

test("a bench that nobody knows has none", () => {
  expect(() => drawingOf({}, "nothing")).toThrow('no picture of bench "nothing"');
});

test("rounds that came to no number do not count", () => {
  const written = JSON.parse(JSON.stringify([Number.NaN, 5, 7, 6])) as (number | null)[];

  expect(measuredBar("it", written)).toEqual({ series: "it", value: 6, lowest: 5, highest: 7 });
  expect(measuredBar("it", [null]).value).toBeNaN();
  expect(measuredPoint(1, [null])).toEqual([]);
});

describe("figures", () => {
  test("of the broker: medians of the rounds, and the bare program beside quorum", () => {
    const [row] = broker.rows;
    const svg = pictureOf("broker", { ...broker, rows: [row] });

    expect(textsOf(svg).map(({ text }) => text)).toContain("900");
    expect(svg.match(/<circle /g)).toHaveLength(4);
  });

  test("of peers: this project's bars stand out, and what does not sync is told", () => {
    const words = wordsOf("peers", peers);
    const svg = pictureOf("peers", peers);
    const blue = [...svg.matchAll(/<rect [^>]*y="([\d.]+)"[^>]*fill="#0072b2"/g)];
    const tops = textsOf(svg).filter(({ text }) => text === "quorumlog");

    expect(words).toContain("nats (no fsync)");
    expect(words).toContain("not measured");
    expect(words).toContain("bare stream");
    const loops = WORKLOADS.filter(({ closedLoop }) => closedLoop !== undefined);
    expect(words.filter((word) => word === "bare program")).toHaveLength(loops.length);
    // Beside them the bare streams, that all but the gap have here.
    const grey = [...svg.matchAll(/<rect [^>]*fill="#b3bac2"/g)];
    expect(grey).toHaveLength(loops.length + WORKLOADS.length - 1);
    expect(words).toContain("98.8 k");
    // One for each workload but the gap, and two for those that ask for latency.
    expect(blue).toHaveLength(WORKLOADS.length - 1 + 2);
    for (const [i, [, y]] of blue.entries())
      expect(Math.abs(Number(y) - (tops[i]?.top ?? 0))).toBeLessThan(10);
  });

  test("of peers that were not measured to the end: it is told", () => {
    const words = "Not complete: the run had not come to its end.";

    expect(wordsOf("peers", peers)).not.toContain(words);
    expect(wordsOf("peers", { ...peers, isComplete: false })).toContain(words);
  });

  test("of peers that were not as they have to be: which, and how often", () => {
    const [first, ...others] = peers.results;
    if (first === undefined) throw new Error("nothing was measured");
    const faults = ["slow", "slow", "wrong"];
    const results = [{ ...first, outcome: { ...first.outcome, faults } }, ...others];
    const words = wordsOf("peers", { ...peers, results, failures: [] }).join(" ");
    const { system, workload } = first;

    expect(words).toContain(
      `Not sound: ${system}, ${workload}: slow (2 times); ${system}, ${workload}: wrong.`,
    );
  });

  test("of a failover: median and worst of each fault", () => {
    const rows = [{ fault: "kill", perSecond: 1_000, gapsMs: [70, 60, 278] }];

    expect(wordsOf("failover", { times: 3, rows })).toContain("median 70, worst 278");
  });

  test("of a backlog: what was drained in each window", () => {
    const svg = pictureOf("backlog", backlog);
    const [, , drained = ""] = [...svg.matchAll(/<polyline [^>]*points="([^"]*)"/g)].map(
      ([, points]) => points,
    );
    const ys = drained.split(" ").map((point) => Number(point.split(",")[1]));

    // Nothing before, and then the same in each.
    expect(ys).toHaveLength(4);
    expect(new Set(ys).size).toBe(2);
    expect(Math.max(...ys)).toBe(ys[0]);
  });
});
