// Goal: nobody is told that a message was not stored when an attempt before may have stored it.
// Method: the one place that judges errors of a batch, by itself.

import { OperationError } from "@quorumlog/protocol";
import { expect, test } from "vitest";
import { OutgoingBatch } from "../src/outgoing-batch.ts";
import { finalError } from "../src/publish-outcome.ts";

const lost = new OperationError("LEADERSHIP_LOST", "another node leads");
const refused = new OperationError("TOPIC_NOT_WRITABLE", "it takes nothing");
const busy = new OperationError("OVERLOADED", "too much waits");

/** Of an idempotent producer, unless it has no number. */
function batchOf(producerId = 7): OutgoingBatch {
  const batch = new OutgoingBatch(undefined as never, "quorum");
  batch.producerId = producerId;
  return batch;
}

test("a first attempt that is refused was not stored", () => {
  expect(finalError(batchOf(), refused, false)).toBe(refused);
});

test("behind an attempt that was not answered, a refusal says nothing about that one", () => {
  const batch = batchOf();

  expect(finalError(batch, lost, false)).toBeUndefined();
  expect(finalError(batch, busy, false)).toBeUndefined();
  const error = finalError(batch, refused, false);

  expect(error).toMatchObject({ code: "TOPIC_NOT_WRITABLE", outcome: "unknown" });
});

test("without a number what may have been stored is not sent again", () => {
  const batch = batchOf(0);

  expect(finalError(batch, busy, false)).toBeUndefined();
  expect(finalError(batch, lost, false)).toMatchObject({ outcome: "unknown" });
  expect(finalError(batch, refused, false)).toMatchObject({ outcome: "unknown" });
});

test("of several that were refused together each is asked for alone", () => {
  const batch = batchOf();

  expect(finalError(batch, refused, true)).toBeUndefined();
  expect(batch.isAlone).toBe(true);
});
