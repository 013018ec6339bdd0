/**
 * Messages of one queue on their way. While it is `waiting` and was never sent, calls join and
 * leave it; once it was encoded its bytes and its sequence stay, however often it is sent.
 */

import type { OperationError } from "@quorumlog/protocol";
import type { QueueOutbox } from "./queue-outbox.ts";
import type { SendCall } from "./send-call.ts";
import type { BatchReceipt, Durability } from "./send-receipt.ts";

export class OutgoingBatch {
  readonly outbox: QueueOutbox;
  readonly durability: Durability;
  calls: SendCall[] = [];
  /** Of its calls, before they are encoded. */
  bytes = 0;
  /** Of whichever of its calls waits for longest, by `performance.now()`. */
  deadline = 0;
  /** Calls that are not settled. */
  liveCount = 0;
  state: "waiting" | "under-way" | "done" = "waiting";
  /** As it was sent; `undefined` before. */
  encoded: Buffer | undefined = undefined;
  /** What it was encoded in. */
  memory: Buffer | undefined = undefined;
  /** 0: without an idempotent producer. */
  producerId = 0;
  /** It was sent, and what became of it is not known. */
  isUncertain = false;
  /** Of the metadata that it was last refused by; -1: it was not, or by nobody who says so. */
  refusedByVersion = -1;
  /** Takes no more calls. */
  isFull = false;
  /** Shares a container with nobody: of several that were refused, one has to be found out. */
  isAlone = false;

  constructor(outbox: QueueOutbox, durability: Durability) {
    this.outbox = outbox;
    this.durability = durability;
  }

  add(call: SendCall): void {
    call.batch = this;
    this.calls.push(call);
    this.bytes += call.bytes;
    if (call.deadline > this.deadline) this.deadline = call.deadline;
    this.liveCount += 1;
  }

  /** Settles its calls, in order. */
  succeed(receipt: BatchReceipt, onSettled: (call: SendCall) => void): void {
    let number = 0;
    for (const call of this.calls) {
      if (!call.isSettled) {
        onSettled(call);
        call.succeed(receipt, number);
      }
      number += call.messageCount;
    }
  }

  fail(error: OperationError, onSettled: (call: SendCall) => void): void {
    for (const call of this.calls) {
      if (call.isSettled) continue;
      onSettled(call);
      call.fail(error);
    }
  }
}
