/**
 * Takes containers of record batches in, and answers each once it is as durable as was asked for.
 */

import {
  CONTAINER_BATCHES_MAX,
  endWith,
  errorDetail,
  type Handler,
  OperationError,
  RecordBatch,
} from "@quorumlog/protocol";
import {
  type BatchResult,
  Durability as WireDurability,
  type ProducerNotice,
  type PublishReply,
  type PublishRequest,
  Reached,
} from "@quorumlog/protocol/messages";
import type { Durability } from "@quorumlog/replica";
import type { BrokerGroup, Submitted } from "../broker-group.ts";
import type { BrokerSettings } from "../broker-options.ts";
import { parsePublishAnswer, type PublishRefusal } from "../state/publish-answer.ts";
import type { ProducerSession, ProducerSessions } from "./producer-sessions.ts";

type PublishCall = Parameters<
  Extract<Handler<PublishRequest, PublishReply.$Properties>, { duplex: unknown }>["duplex"]
>[0];

const TIMEOUT_MS_MAX = 600_000;
/** Of a stream's requests that are not answered: then it is not read on. */
const UNANSWERED_BYTES_MAX = 32 * 1024 * 1024;
const DURABILITIES: Readonly<Partial<Record<WireDurability, Durability>>> = {
  [WireDurability.DURABILITY_UNSPECIFIED]: "quorum",
  [WireDurability.DURABILITY_QUORUM]: "quorum",
  [WireDurability.DURABILITY_LEADER]: "leader",
  [WireDurability.DURABILITY_ASYNC]: "async",
};
const REACHED: Readonly<Record<Submitted["reached"], Reached>> = {
  synced: Reached.REACHED_SYNCED,
  written: Reached.REACHED_WRITTEN,
  memory: Reached.REACHED_MEMORY,
};

export interface PublishInit {
  readonly group: BrokerGroup;
  readonly producers: ProducerSessions;
  readonly limits: Pick<BrokerSettings, "messageBytesMax" | "recordBytesMax">;
  /** Something threw that should not: the process should end. */
  readonly onDefect: (error: unknown) => void;
}

export function publishHandler(
  init: PublishInit,
): Handler<PublishRequest, PublishReply.$Properties> {
  return {
    duplex: (call) => {
      const stream = new PublishStream(init, call);
      stream.start();
    },
  };
}

class PublishStream {
  readonly #group: BrokerGroup;
  readonly #call: PublishCall;
  readonly #limits: PublishInit["limits"];
  readonly #producers: ProducerSessions;
  readonly #onDefect: (error: unknown) => void;
  /** Once it has said who publishes. */
  #session: ProducerSession | undefined;
  #unansweredBytes = 0;
  #isFull = false;
  #isOver = false;

  constructor({ group, producers, limits, onDefect }: PublishInit, call: PublishCall) {
    this.#group = group;
    this.#onDefect = onDefect;
    this.#call = call;
    this.#limits = limits;
    this.#producers = producers;
  }

  start(): void {
    const call = this.#call;
    call.on("data", (request: PublishRequest) => {
      this.#onRequest(request);
    });
    call.on("drain", () => {
      this.#isFull = false;
      this.#maybeReadOn();
    });
    const onOver = (): void => {
      this.#isOver = true;
      if (this.#session !== undefined) this.#producers.leave(this.#session);
    };
    call.on("end", () => {
      onOver();
      if (this.#unansweredBytes === 0) call.end();
    });
    call.on("cancelled", onOver);
    call.on("error", onOver);
  }

  #onRequest(request: PublishRequest): void {
    const { requestId } = request;
    // 1: a request that has none is answered, too, before the stream ends.
    const bytes = 1 + request.batches.reduce((sum, batch) => sum + batch.byteLength, 0);
    this.#unansweredBytes += bytes;
    this.#maybePause();
    const startedAt = performance.now();
    const { traffic } = this.#group;
    if (this.#session !== undefined) this.#session.lastAt = startedAt;
    this.#publish(request)
      .then(
        (reply) => {
          traffic.publishSeconds.observe((performance.now() - startedAt) / 1_000);
          reply.requestId = requestId;
          this.#answer(reply, bytes);
        },
        (error: unknown) => {
          if (!(error instanceof OperationError)) throw error;
          traffic.onRefused(error.code);
          this.#answer({ requestId, error: errorDetail(error) }, bytes);
        },
      )
      .catch((error: unknown) => {
        endWith(this.#call, new OperationError("FAILED", "a defect", { cause: error }));
        this.#onDefect(error);
      });
  }

  async #publish(request: PublishRequest): Promise<PublishReply.$Properties> {
    const durability = DURABILITIES[request.durability];
    if (durability === undefined) throw invalid("durability", `${request.durability} is none`);
    if (request.timeoutMs > TIMEOUT_MS_MAX)
      throw invalid("timeout_ms", `${request.timeoutMs} is above ${TIMEOUT_MS_MAX}`);
    const { batches } = request;
    if (batches.length < 1 || batches.length > CONTAINER_BATCHES_MAX)
      throw invalid("batches", `${batches.length} are not in [1, ${CONTAINER_BATCHES_MAX}]`);
    this.#group.demandLeader();
    // What is nested was decoded as well: its type says less than it is.
    if (request.producer) this.#hear(request.producer as ProducerNotice);
    const { accepted, refusals } = this.#lookThrough(batches, durability);
    const { metadata } = this.#group.machine;
    if (accepted.length === 0)
      return { results: refusals.map((refusal) => refusedResult(refusal, metadata.version)) };
    const { timeoutMs } = request;
    const limits = timeoutMs === 0 ? { durability } : { durability, timeoutMs };
    const submitted = await this.#group.submit(accepted, limits);
    this.#group.traffic.onPublished(accepted);
    return replyOf(submitted, refusals, metadata.version);
  }

  #hear(notice: ProducerNotice): void {
    // Somebody that has left by now would stay for good.
    if (this.#isOver) return;
    const stream = { address: this.#call.getPeer(), now: performance.now() };
    this.#session = this.#producers.hear(this.#session, notice, stream);
  }

  /**
   * What cannot be stored is kept out of the log; the decision is made when it is applied.
   *
   * @throws OperationError for bytes that are no batch: then nothing is stored
   */
  #lookThrough(
    batches: readonly Uint8Array[],
    durability: Durability,
  ): {
    readonly accepted: readonly Uint8Array[];
    readonly refusals: readonly (PublishRefusal | undefined)[];
  } {
    const accepted: Uint8Array[] = [];
    const refusals = batches.map((bytes, i) => {
      const batch = RecordBatch.check(bytes as Buffer);
      if (typeof batch === "string")
        throw new OperationError("INVALID_BATCH", `batch ${i}: ${batch}`, {
          problems: [{ field: `batches[${i}]`, problem: batch }],
        });
      // What became of it is decided as it is applied, which nobody waits for with less.
      if (batch.producerId !== 0 && durability !== "quorum")
        throw invalid("durability", `batch ${i} is of an idempotent producer, and needs a quorum`);
      // Most batches are smaller as a whole than one message may be.
      const { messageBytesMax, recordBytesMax } = this.#limits;
      if (batch.recordsBytes > messageBytesMax || bytes.length > recordBytesMax)
        this.#demandSmaller(batch, i);
      const refusal = this.#group.machine.refusalOf(batch);
      if (refusal === undefined) accepted.push(bytes);
      else this.#group.traffic.onRefused(refusal);
      return refusal;
    });
    return { accepted, refusals };
  }

  #demandSmaller(batch: RecordBatch, i: number): void {
    const bytes = batch.largestMessageBytes();
    const { messageBytesMax, recordBytesMax } = this.#limits;
    const { length } = batch.bytes;
    if (bytes <= messageBytesMax && length <= recordBytesMax) return;
    const problem =
      bytes > messageBytesMax
        ? `a message of ${bytes} bytes, and it may have ${messageBytesMax}`
        : `${length} bytes together, of which the log takes ${recordBytesMax} at a time: its ` +
          "producer's batchBytes is too large for the broker's segmentBytes";
    throw new OperationError("MESSAGE_TOO_LARGE", `batch ${i}: ${problem}`, {
      problems: [{ field: `batches[${i}]`, problem }],
    });
  }

  #answer(reply: PublishReply.$Properties, bytes: number): void {
    this.#unansweredBytes -= bytes;
    if (this.#call.cancelled) return;
    this.#isFull = !this.#call.write(reply);
    if (this.#isOver && this.#unansweredBytes === 0) this.#call.end();
    else this.#maybeReadOn();
  }

  #maybePause(): void {
    if (this.#unansweredBytes >= UNANSWERED_BYTES_MAX) this.#call.pause();
  }

  /** Whoever does not read its answers is not read from. */
  #maybeReadOn(): void {
    if (this.#isFull) this.#call.pause();
    else if (this.#unansweredBytes < UNANSWERED_BYTES_MAX && !this.#isOver) this.#call.resume();
  }
}

function replyOf(
  { answers, index, term, reached }: Submitted,
  refusals: readonly (PublishRefusal | undefined)[],
  metadataVersion: number,
): PublishReply.$Properties {
  const left = answers.values();
  // Below `quorum` nothing is decided: there is no answer but for what was refused before.
  const isDecided = answers.length > 0;
  const results = refusals.map((refusal) => {
    if (refusal !== undefined) return refusedResult(refusal, metadataVersion);
    const { value } = left.next();
    return value === undefined ? {} : resultOf(value, metadataVersion);
  });
  const hasResults = isDecided || refusals.some((refusal) => refusal !== undefined);
  return { reached: REACHED[reached], term, index, results: hasResults ? results : [] };
}

function resultOf(answer: Uint8Array, metadataVersion: number): BatchResult.$Properties {
  const parsed = parsePublishAnswer(answer);
  if (typeof parsed === "string") return refusedResult(parsed, metadataVersion);
  const { baseOffset, storeTimestamp, isDuplicate } = parsed;
  return { baseOffset, storeTimestampMs: storeTimestamp, isDuplicate };
}

const REFUSAL_MESSAGES: Readonly<Record<PublishRefusal, string>> = {
  INVALID_BATCH: "the batch is none",
  UNKNOWN_TOPIC: "there is no such topic: it was deleted, or the route is old",
  UNKNOWN_QUEUE: "the topic has fewer queues",
  WRONG_GROUP: "the queue is another broker group's: the route is old",
  TOPIC_NOT_WRITABLE: "the topic takes no messages: its write permission was taken away",
  MESSAGE_TYPE_MISMATCH: "the topic is for messages of another type",
  STALE_PRODUCER_EPOCH: "a newer producer of the same id has begun",
  UNKNOWN_PRODUCER: "of this producer nothing is known here: it was quiet for too long",
  SEQUENCE_GAP: "a batch before this one was not stored",
  SEQUENCE_TOO_OLD: "what became of a batch from so long ago is forgotten",
};

function refusedResult(
  refusal: PublishRefusal | undefined,
  metadataVersion: number,
): BatchResult.$Properties {
  if (refusal === undefined) return {};
  const message = REFUSAL_MESSAGES[refusal];
  return { error: errorDetail(new OperationError(refusal, message, { metadataVersion })) };
}

function invalid(field: string, problem: string): OperationError {
  return new OperationError("INVALID_ARGUMENT", `${field}: ${problem}`, {
    problems: [{ field, problem }],
  });
}
