// Goal: a message whose bytes are copied once is the one that protobufjs would have written.
// Method: random messages, with batches of all lengths at each depth, encoded by both.

import { Prng } from "@quorumlog/std";
import protobuf from "protobufjs/minimal.js";
import { describe, expect, test } from "vitest";
import { FetchReply, PublishRequest } from "../generated/messages.js";
import { MessageWriter } from "../src/message-writer.ts";

/** Around where bytes are large, and where lengths take a byte more. */
const LENGTHS = [0, 1, 100, 127, 128, 1_023, 1_024, 1_025, 16_383, 16_384, 40_000, 2_100_000];

function randomBatch(prng: Prng): Buffer {
  return Buffer.alloc(
    prng.pick(prng.chance(0.05) ? LENGTHS : LENGTHS.slice(0, -1)),
    prng.below(256),
  );
}

function several<Item>(prng: Prng, make: () => Item): Item[] {
  return Array.from({ length: prng.below(5) }, make);
}

function randomReply(prng: Prng): FetchReply.$Properties {
  return {
    requestId: prng.below(1_000),
    ...(prng.chance(0.2)
      ? { error: { code: "FAILED", message: "m".repeat(prng.below(300)) } }
      : {}),
    queues: several(prng, () => ({
      topicId: prng.below(100_000),
      queue: prng.below(100),
      endOffset: 1_000 * prng.below(1e9),
      batches: several(prng, () => ({
        baseOffset: 1_000 * prng.below(1e9),
        storeTimestampMs: Date.now(),
        batch: randomBatch(prng),
      })),
    })),
  };
}

describe("large bytes are written as small ones are", () => {
  const seeds = Array.from({ length: 60 }, (_, i) => i + 1);

  test.each(seeds)("in messages within messages, seed %i", (seed) => {
    const reply = randomReply(new Prng(seed));

    const writer = new MessageWriter();
    FetchReply.encode(reply, writer);

    const expected = FetchReply.encode(reply, new protobuf.BufferWriter()).finish();
    expect(Buffer.compare(writer.finish(), expected)).toBe(0);
  });

  test.each(seeds)("in a list, between other fields, seed %i", (seed) => {
    const prng = new Prng(seed);
    const request = {
      requestId: seed,
      timeoutMs: prng.below(10_000),
      batches: several(prng, () => randomBatch(prng)),
    };

    const writer = new MessageWriter();
    PublishRequest.encode(request, writer);

    const expected = PublishRequest.encode(request, new protobuf.BufferWriter()).finish();
    expect(Buffer.compare(writer.finish(), expected)).toBe(0);
  });
});

test("what was encoded does not change with what it was made of", () => {
  const batch = Buffer.alloc(2_000, 1);
  const writer = new MessageWriter();
  PublishRequest.encode({ requestId: 1, batches: [batch] }, writer);

  const bytes = writer.finish();
  batch.fill(2);

  expect(PublishRequest.decode(bytes).batches[0]).toEqual(Buffer.alloc(2_000, 1));
});
