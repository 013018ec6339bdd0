/** `quorumlog produce`: publishes what comes in, a message a line. */

import { type OutgoingMessage, Producer } from "@quorumlog/client";
import { MESSAGE_BYTES_MAX } from "@quorumlog/protocol";
import {
  CLUSTER_SETTINGS,
  clusterOptions,
  clusterProblems,
  whileConnecting,
} from "../cluster-settings.ts";
import { type Command, command } from "../command.ts";
import { InputError, inputLines } from "../input-lines.ts";
import { LineFieldReader } from "../line-fields.ts";
import { tellResult } from "../output.ts";
import { withProgress } from "../progress.ts";

/** Messages under way: more would wait in memory alone. */
const IN_FLIGHT_MAX = 10_000;

export const PRODUCE: Command = command(
  {
    ...CLUSTER_SETTINGS,
    keyField: { type: "text", about: "of lines that are JSON: this field is the message's key" },
    groupField: { type: "text", about: "of lines that are JSON: this field is the message group" },
    tag: { type: "text", about: "of every message" },
    durability: {
      type: "text",
      about: "where a message is before it counts: on a majority's disks, the leader's, or nowhere",
      oneOf: ["quorum", "leader", "async"],
      fallback: "quorum",
    },
    createsTopics: {
      type: "flag",
      about: "has a topic made that is missing, where brokers are set up for that",
    },
    timeoutMs: {
      type: "integer",
      about: "how long to try with each",
      min: 1,
      max: 600_000,
      fallback: 30_000,
    },
  },
  {
    name: "produce",
    operand: { name: "TOPIC" },
    about: "publishes the lines of its input, each as a message",
    notes: [
      'A line is what is before "\\n" or "\\r\\n", byte for byte, and has up to 4 MiB. The input',
      "ends with the first one that fails: what comes behind it is not sent.",
    ],
    examples: [
      "seq 1000 | quorumlog produce numbers",
      "quorumlog produce orders --key-field id --group-field customer < orders.jsonl",
    ],
    relations: clusterProblems,
    async run({ settings, operand: topic, signal }) {
      const { durability, createsTopics, timeoutMs, json } = settings;
      await using producer = await withProgress(whileConnecting(settings), () =>
        Producer.open({
          ...clusterOptions(settings),
          producerGroup: "quorumlog-cli",
          durability,
          createsTopics,
          timeoutMs,
          onFull: "wait",
          signal,
        }),
      );
      const publisher = new LinePublisher(producer, topic);
      const fields = new LineFieldReader(settings);
      if (process.stdin.isTTY)
        console.error("a message a line; Ctrl-D ends the input, Ctrl-C gives up");
      await withProgress(
        () => storedText(publisher.stored),
        () => publishAll(publisher, { fields, tag: settings.tag, signal }),
      );
      process.stdin.destroy();
      const { stored, lost, failure } = publisher;
      tellResult(json, { topic, stored, lost, ...fields.missing }, storedText(stored));
      if (lost > 0) console.error(`quorumlog: ${publisher.lossText()}`);
      for (const text of fields.missingTexts()) console.error(`quorumlog: ${text}`);
      if (failure !== undefined) throw failure;
    },
  },
);

interface Publishing {
  readonly fields: LineFieldReader;
  readonly tag: string | undefined;
  readonly signal: AbortSignal;
}

/** Until there is no more input, or something has failed; then until what was sent is settled. */
async function publishAll(publisher: LinePublisher, wish: Publishing): Promise<void> {
  try {
    await publishLines(publisher, wish);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    publisher.fail(error);
  }
  await publisher.drained();
}

/** @throws InputError */
async function publishLines(publisher: LinePublisher, wish: Publishing): Promise<void> {
  const { fields } = wish;
  const tag = wish.tag === undefined ? {} : { tag: wish.tag };
  // Nobody waits for the next line to hear of a failure.
  const signal = AbortSignal.any([wish.signal, publisher.failed]);
  // No broker takes a longer line.
  const bounds = { bytesMax: MESSAGE_BYTES_MAX, signal };
  let count = 0;
  for await (const lines of inputLines(process.stdin, bounds))
    for (const line of lines) {
      count += 1;
      await publisher.publish({ body: line, ...fields.read(line, count), ...tag });
      if (signal.aborted) return;
    }
}

function storedText(count: number): string {
  return count === 1 ? "1 message is stored" : `${count} messages are stored`;
}

/** Sends line by line, and minds how many are under way. */
class LinePublisher {
  readonly #producer: Producer;
  readonly #topic: string;
  stored = 0;
  /** Sent, and not acknowledged: some may be stored all the same. */
  lost = 0;
  /** The first one: what comes behind it is not sent. */
  failure: Error | undefined;
  readonly #failed = new AbortController();
  #line = 0;
  #firstLost = 0;
  #inFlight = 0;
  #wake: () => void = () => undefined;

  constructor(producer: Producer, topic: string) {
    this.#producer = producer;
    this.#topic = topic;
  }

  /** Waits for room, not for the answer. */
  async publish(message: OutgoingMessage): Promise<void> {
    this.#line += 1;
    const line = this.#line;
    this.#inFlight += 1;
    this.#producer.send(this.#topic, message).then(
      () => {
        this.stored += 1;
        this.#settled();
      },
      (error: unknown) => {
        if (this.#firstLost === 0) this.#firstLost = line;
        this.lost += 1;
        this.fail(error instanceof Error ? error : new Error(String(error)));
        this.#settled();
      },
    );
    while (this.#inFlight >= IN_FLIGHT_MAX) await this.#news();
  }

  /** Aborted with the first failure. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /** Nothing more is sent; what is under way goes on. */
  fail(error: Error): void {
    this.failure ??= error;
    this.#failed.abort();
  }

  async drained(): Promise<void> {
    while (this.#inFlight > 0) await this.#news();
  }

  /** Empty if nothing was. */
  lossText(): string {
    if (this.lost === 0) return "";
    const known = "not stored, as far as is known";
    if (this.lost === 1) return `1 message is ${known}: line ${this.#firstLost}`;
    return `${this.lost} messages are ${known}: line ${this.#firstLost} and later`;
  }

  #settled(): void {
    this.#inFlight -= 1;
    this.#wake();
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
