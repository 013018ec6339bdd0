/** `quorumlog produce`: publishes what comes in, a message a line. */

import { createInterface } from "node:readline";
import { type OutgoingMessage, Producer } from "@quorumlog/client";
import {
  CLUSTER_SETTINGS,
  clusterOptions,
  clusterProblems,
  whileConnecting,
} from "../cluster-settings.ts";
import { type Command, command } from "../command.ts";
import { EXIT } from "../failure.ts";
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
      if (process.stdin.isTTY)
        console.error("a message a line; Ctrl-D ends the input, Ctrl-C gives up");
      await withProgress(
        () => `${publisher.stored} messages are stored`,
        () => publishAll(publisher, { ...settings, signal }),
      );
      process.stdin.destroy();
      const { stored, lost, failure } = publisher;
      tellResult(json, { topic, stored, lost }, `${stored} messages are stored`);
      if (lost > 0) console.error(`quorumlog: ${publisher.lossText()}`);
      if (failure !== undefined) throw failure;
      return signal.aborted ? EXIT.interrupted : EXIT.done;
    },
  },
);

interface Publishing extends FieldNames {
  readonly tag: string | undefined;
  readonly signal: AbortSignal;
}

/** Until there is no more input, or something has failed; then until what was sent is settled. */
async function publishAll(publisher: LinePublisher, wish: Publishing): Promise<void> {
  const tag = wish.tag === undefined ? {} : { tag: wish.tag };
  for await (const line of linesOfInput(wish.signal)) {
    const fields = fieldsOf(line, wish);
    if ("problem" in fields) publisher.fail(fields.problem);
    else await publisher.publish({ body: line, ...fields, ...tag });
    if (publisher.failure !== undefined) break;
  }
  await publisher.drained();
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
        this.failure ??= error instanceof Error ? error : new Error(String(error));
        this.#settled();
      },
    );
    while (this.#inFlight >= IN_FLIGHT_MAX) await this.#news();
  }

  /** Of a line that cannot be a message: what came before it is. */
  fail(problem: string): void {
    this.failure ??= Object.assign(new Error(`line ${this.#line + 1} ${problem}`), {
      code: "INVALID_LINE",
    });
  }

  async drained(): Promise<void> {
    while (this.#inFlight > 0) await this.#news();
  }

  /** Empty if nothing was. */
  lossText(): string {
    if (this.lost === 0) return "";
    const where = this.lost === 1 ? `line ${this.#firstLost}` : `line ${this.#firstLost} and later`;
    return `${this.lost} messages are not stored, as far as is known: ${where}`;
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

/** Until it ends, or the signal says so. */
async function* linesOfInput(signal: AbortSignal): AsyncGenerator<string, void, void> {
  if (signal.aborted) return;
  yield* createInterface({ input: process.stdin, crlfDelay: Infinity, signal });
}

/** What a line of JSON says of its message. */
type LineFields = Pick<OutgoingMessage, "keys" | "messageGroup"> | { readonly problem: string };

interface FieldNames {
  readonly keyField: string | undefined;
  readonly groupField: string | undefined;
}

function fieldsOf(line: string, { keyField, groupField }: FieldNames): LineFields {
  if (keyField === undefined && groupField === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return {
      problem: `is no JSON, which --key-field and --group-field want: ${line.slice(0, 40)}`,
    };
  }
  const key = textAt(value, keyField);
  const messageGroup = textAt(value, groupField);
  return {
    ...(key === undefined ? {} : { keys: [key] }),
    ...(messageGroup === undefined ? {} : { messageGroup }),
  };
}

function textAt(value: unknown, name: string | undefined): string | undefined {
  if (name === undefined || typeof value !== "object" || value === null) return undefined;
  const field = (value as Readonly<Record<string, unknown>>)[name];
  if (field === undefined || field === null) return undefined;
  return typeof field === "string" ? field : JSON.stringify(field);
}
