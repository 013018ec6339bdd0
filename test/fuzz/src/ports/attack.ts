/**
 * One thing that is done to a port: drawn from a seed, and written down so that it can be repeated.
 */

import { BROKER_SERVICE } from "@quorumlog/protocol";
import { Durability } from "@quorumlog/protocol/messages";
import type { Prng } from "@quorumlog/std";
import { mutateBatch, validBatch } from "../batch-mutator.ts";
import { mutateBytes } from "../byte-mutator.ts";
import { mutateMessage } from "../message-mutator.ts";
import { framed } from "./raw-call.ts";
import { rawBytes } from "./raw-bytes.ts";
import type { Sample } from "./sample-requests.ts";

export type Attack =
  | { readonly kind: "bytes"; readonly port: number; readonly bytes: Buffer }
  | {
      readonly kind: "call";
      readonly port: number;
      readonly sample: Sample;
      /** What is in the frames, as far as it is known. */
      readonly requests: readonly Buffer[];
      readonly frames: readonly Buffer[];
      readonly isEnded: boolean;
    };

export interface AttackedPort {
  readonly port: number;
  /** None of a port that speaks no gRPC. */
  readonly samples: readonly Sample[];
}

const DURABILITIES = [
  Durability.DURABILITY_QUORUM,
  Durability.DURABILITY_LEADER,
  Durability.DURABILITY_ASYNC,
];
const BATCHES_MAX = 4;
const REQUESTS_MAX = 3;

export class AttackSource {
  readonly #prng: Prng;
  readonly #topicId: number;
  readonly #queueCount: number;

  constructor(prng: Prng, topicId: number, queueCount: number) {
    this.#prng = prng;
    this.#topicId = topicId;
    this.#queueCount = queueCount;
  }

  next(ports: readonly AttackedPort[]): Attack {
    const prng = this.#prng;
    const { port, samples } = prng.pick(ports);
    if (samples.length === 0 || prng.below(5) === 0)
      return { kind: "bytes", port, bytes: rawBytes(prng) };
    const publish = samples.find(({ path }) => path === BROKER_SERVICE.publish.path);
    const isPublish = publish !== undefined && prng.below(3) === 0;
    const sample = isPublish ? publish : prng.pick(samples);
    const count = sample.isStream ? 1 + prng.below(REQUESTS_MAX) : 1;
    const requests = Array.from({ length: count }, () => this.#request(sample, isPublish));
    const frames = requests.map((request) => this.#frame(request));
    return { kind: "call", port, sample, requests, frames, isEnded: prng.below(5) > 0 };
  }

  #request(sample: Sample, isPublish: boolean): Buffer {
    const prng = this.#prng;
    const bytes = isPublish ? this.#publish() : sample.bytes;
    const dice = prng.below(6);
    if (dice === 0 || (isPublish && dice < 4)) return bytes;
    const changed =
      dice < 5
        ? (mutateMessage(prng, bytes) ?? mutateBytes(prng, bytes))
        : mutateBytes(prng, bytes);
    return isForbidden(sample, changed) ? sample.bytes : changed;
  }

  #publish(): Buffer {
    const prng = this.#prng;
    const batches = Array.from({ length: 1 + prng.below(BATCHES_MAX) }, () => {
      const queue = prng.below(this.#queueCount);
      const batch = validBatch(
        prng,
        { topicId: this.#topicId, queue },
        prng.below(2) * prng.below(6),
      );
      return prng.below(3) === 0 ? mutateBatch(prng, batch) : batch;
    });
    const durability = prng.pick(DURABILITIES);
    const request = { requestId: 1 + prng.below(1_000), timeoutMs: 1_000, batches, durability };
    return BROKER_SERVICE.publish.requestSerialize(request);
  }

  #frame(request: Buffer): Buffer {
    const whole = framed(request);
    return this.#prng.below(10) === 0 ? mutateBytes(this.#prng, whole) : whole;
  }
}

function isForbidden(sample: Sample, request: Buffer): boolean {
  try {
    return sample.isForbidden?.(request) === true;
  } catch {
    // It does not decode, and so it is nothing that could be done.
    return false;
  }
}
