/** What a run varies, one thing at a time: each dimension has a small case, and steps. */

import { FlagError } from "@quorumlog/std";

/** A cluster, what is in it, and the load. */
export interface Setup {
  /** Of each broker group. */
  readonly nodeCount: number;
  /** Broker groups. */
  readonly groupCount: number;
  readonly topicCount: number;
  /** Of each topic. */
  readonly queueCount: number;
  /** Each message goes to the next queue; else its producer chooses, batch by batch. */
  readonly isInTurn: boolean;
  readonly consumerGroups: number;
  readonly messageBytes: number;
  readonly inFlight: number;
  /** Messages that are there before anything is measured, besides those of the warm-up. */
  readonly stored: number;
}

export interface Dimension {
  readonly name: string;
  readonly title: string;
  /** What a step counts. */
  readonly unit: string;
  readonly small: number;
  /** Ascending. */
  readonly steps: readonly number[];
  readonly setupAt: (step: number, inFlight: number) => Setup;
  /** A step's cluster goes on from that of the step before it. */
  readonly isGrown: boolean;
  /** How long it takes to start after kill -9 of all brokers is measured, too. */
  readonly hasRestart: boolean;
  /** Of the rate, beside the small case: what should be reached at the last step. */
  readonly goal: number | undefined;
}

const BASE: Omit<Setup, "inFlight"> = {
  nodeCount: 3,
  groupCount: 1,
  topicCount: 1,
  queueCount: 4,
  isInTurn: false,
  consumerGroups: 0,
  messageBytes: 100,
  stored: 0,
};
/** Of all messages under way together: a leader refuses more than twice as much. */
const IN_FLIGHT_BYTES_MAX = 32 * 1024 * 1024;
const KIB = 1_024;
const QUEUES_OF_TOPIC = 4;
/** A topic may have 1,024. */
const QUEUES_OF_WIDE_TOPIC = 1_000;
const QUEUE_STEPS: readonly number[] = [100, 1_000, 10_000];

export const DIMENSIONS: readonly Dimension[] = [
  {
    name: "messages",
    title: "Messages stored",
    unit: "messages stored",
    small: 0,
    steps: [1_000_000, 5_000_000, 20_000_000, 50_000_000],
    setupAt: (stored, inFlight) => ({ ...BASE, stored, inFlight }),
    isGrown: true,
    hasRestart: true,
    goal: 0.9,
  },
  {
    name: "queues",
    title: "Queues",
    unit: "queues, batch by batch in turn",
    small: QUEUES_OF_TOPIC,
    steps: QUEUE_STEPS,
    setupAt: (queues, inFlight) => ({ ...queuesOf(queues), inFlight }),
    isGrown: false,
    hasRestart: true,
    goal: 0.6,
  },
  {
    name: "spread",
    title: "Queues that each message changes",
    unit: "queues, message by message in turn",
    small: QUEUES_OF_TOPIC,
    steps: QUEUE_STEPS,
    setupAt: (queues, inFlight) => ({ ...queuesOf(queues), isInTurn: true, inFlight }),
    isGrown: false,
    hasRestart: true,
    goal: undefined,
  },
  {
    name: "topics",
    title: "Topics",
    unit: "topics of 4 queues, in turn",
    small: 1,
    steps: [25, 250, 2_500],
    setupAt: (topicCount, inFlight) => {
      return { ...BASE, topicCount, queueCount: QUEUES_OF_TOPIC, inFlight };
    },
    isGrown: false,
    hasRestart: true,
    goal: undefined,
  },
  {
    name: "groups",
    title: "Consumer groups",
    unit: "groups at the end of another topic",
    small: 0,
    steps: [1, 10, 50, 200],
    setupAt: (consumerGroups, inFlight) => ({ ...BASE, consumerGroups, inFlight }),
    isGrown: false,
    hasRestart: true,
    goal: 0.9,
  },
  {
    name: "replicas",
    title: "Replicas",
    unit: "replicas",
    small: 1,
    steps: [3, 5, 7],
    setupAt: (nodeCount, inFlight) => ({ ...BASE, nodeCount, inFlight }),
    isGrown: false,
    hasRestart: false,
    goal: undefined,
  },
  {
    name: "sizes",
    title: "Message size",
    unit: "bytes of a message",
    small: 100,
    steps: [KIB, 10 * KIB, 100 * KIB, KIB * KIB],
    setupAt: (messageBytes, inFlight) => {
      const fitting = Math.floor(IN_FLIGHT_BYTES_MAX / messageBytes);
      return { ...BASE, messageBytes, inFlight: Math.min(inFlight, fitting) };
    },
    isGrown: false,
    hasRestart: false,
    goal: undefined,
  },
  {
    name: "brokers",
    title: "Broker groups",
    unit: "broker groups",
    small: 1,
    steps: [2],
    setupAt: (groupCount, inFlight) => ({ ...BASE, groupCount, inFlight }),
    isGrown: false,
    hasRestart: false,
    goal: undefined,
  },
];

/** In as few topics as may be; each message goes to the next one. */
function queuesOf(queues: number): Omit<Setup, "inFlight"> {
  const topicCount = Math.ceil(queues / QUEUES_OF_WIDE_TOPIC);
  return { ...BASE, topicCount, queueCount: queues / topicCount };
}

/**
 * @param only - Names, with commas between them; `undefined`: all.
 * @throws {@link FlagError} of names that there are not.
 */
export function chosenDimensions(only: string | undefined): Dimension[] {
  if (only === undefined) return [...DIMENSIONS];
  const wanted = only.split(",").map((name) => name.trim());
  const known = DIMENSIONS.map(({ name }) => name);
  const problems = wanted
    .filter((name) => !known.includes(name))
    .map((name) => `--only: there is no "${name}", but ${known.join(", ")}`);
  if (problems.length > 0) throw new FlagError(problems);
  return DIMENSIONS.filter(({ name }) => wanted.includes(name));
}

/** @param limits - `most`: no step above it; `steps`: so many of what is left, the first ones. */
export function chosenSteps(
  { steps }: Pick<Dimension, "steps">,
  { most, steps: count }: { readonly most: number; readonly steps: number },
): number[] {
  return steps.filter((step) => step <= most).slice(0, count);
}
