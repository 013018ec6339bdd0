/** The broker as a picture: for each size of message, what more of them under way bring. */

import type { Durability } from "@quorumlog/client";
import type { ConsumeFigures, PublishFigures } from "../broker/client-process.ts";
import type { Drawing, Line, LinePanel } from "../plot/chart.ts";
import { measuredPoint, wordsOfRounds } from "./measured.ts";

export interface BrokerRound {
  /** Messages per second of the bare program, which was measured beside `quorum` only. */
  readonly bare: number;
  readonly published: PublishFigures;
  readonly consumed: ConsumeFigures;
  /** Of the client, the leader and its followers, per message that was published. */
  readonly cpuMicros: readonly number[];
  /** Of the brokers, the leader first. */
  readonly anonymousMb: readonly number[];
}

export interface BrokerCase {
  readonly messageBytes: number;
  readonly inFlight: number;
  readonly durability: Durability;
}

export interface BrokerResults {
  readonly timeMs: number;
  readonly rounds: number;
  readonly hasTls: boolean;
  readonly rows: readonly (BrokerCase & { readonly rounds: readonly BrokerRound[] })[];
}

type BrokerRow = BrokerResults["rows"][number];

interface Quantity {
  readonly title: string;
  readonly unit: string;
  readonly valueOf: (round: BrokerRound) => number;
  readonly hasBare: boolean;
}

const BARE = "bare program, quorum";
const QUANTITIES: readonly Quantity[] = [
  {
    title: "published",
    unit: "acked/s",
    valueOf: ({ published }) => published.messages / published.seconds,
    hasBare: true,
  },
  {
    title: "answered, p50",
    unit: "ms",
    valueOf: ({ published }) => published.p50Ms,
    hasBare: false,
  },
  {
    title: "read back",
    unit: "messages/s",
    valueOf: ({ consumed }) => consumed.read / consumed.seconds,
    hasBare: false,
  },
];

export function drawBroker({ rows, rounds, hasTls }: BrokerResults): Drawing {
  const sizes = [...new Set(rows.map(({ messageBytes }) => messageBytes))];
  return {
    title: `Messages through a broker group${hasTls ? ", with TLS" : ""}`,
    lead:
      "Three brokers and a client, each a process; one call per message, each read back. " +
      `Logarithmic axes; ${wordsOfRounds(rounds)}.`,
    series: [
      { name: "quorum", tone: "ours" },
      { name: "leader" },
      { name: "async" },
      { name: BARE, tone: "bare" },
    ],
    columns: QUANTITIES.length,
    panels: sizes.flatMap((size) => {
      const ofSize = rows.filter(({ messageBytes }) => messageBytes === size);
      return QUANTITIES.map((quantity) => panelOf(quantity, ofSize, nameOfSize(size)));
    }),
    notes: [
      "Acknowledged when on the disks of a majority (quorum), on that of the leader (leader), " +
        "or in its memory (async).",
      ...(hasTls ? ["The bare program has no TLS."] : []),
    ],
  };
}

function panelOf(
  { title, unit, valueOf, hasBare }: Quantity,
  rows: readonly BrokerRow[],
  size: string,
): LinePanel {
  const ticks = [...new Set(rows.map(({ inFlight }) => inFlight))];
  const durabilities = [...new Set(rows.map(({ durability }) => durability))];
  const lineOf = (durability: Durability): Line => ({
    series: durability,
    hasValues: durability === durabilities[0],
    points: rows
      .filter((row) => row.durability === durability)
      .flatMap((row) => measuredPoint(row.inFlight, row.rounds.map(valueOf))),
  });
  const bare: Line = {
    series: BARE,
    points: rows.flatMap((row) =>
      measuredPoint(
        row.inFlight,
        row.rounds.map((round) => round.bare),
      ),
    ),
  };
  return {
    kind: "lines",
    title: `${size}, ${title}`,
    unit,
    scale: "log",
    x: { title: "messages under way", scale: "log", ticks },
    lines: [...durabilities.map(lineOf), ...(hasBare && bare.points.length > 0 ? [bare] : [])],
  };
}

/** As in `100 B` and `10 KB`. */
export function nameOfSize(bytes: number): string {
  return bytes < 1_024 ? `${bytes} B` : `${bytes / 1_024} KB`;
}
