/**
 * What a published batch came to, as the state machine answers it:
 *
 *     u8 verdict, u8 1 for a duplicate, f64 base offset, f64 store timestamp
 */

import { required } from "@quorumlog/std";

export type PublishRefusal =
  | "INVALID_BATCH"
  | "UNKNOWN_TOPIC"
  | "UNKNOWN_QUEUE"
  | "WRONG_GROUP"
  | "TOPIC_NOT_WRITABLE"
  | "MESSAGE_TYPE_MISMATCH"
  | "STALE_PRODUCER_EPOCH"
  | "UNKNOWN_PRODUCER"
  | "SEQUENCE_GAP"
  | "SEQUENCE_TOO_OLD";

const STORED = 0;
/** In the order of their numbers, from 1: answers end with the process, so that it may change. */
const REFUSALS: readonly PublishRefusal[] = [
  "INVALID_BATCH",
  "UNKNOWN_TOPIC",
  "UNKNOWN_QUEUE",
  "WRONG_GROUP",
  "TOPIC_NOT_WRITABLE",
  "MESSAGE_TYPE_MISMATCH",
  "STALE_PRODUCER_EPOCH",
  "UNKNOWN_PRODUCER",
  "SEQUENCE_GAP",
  "SEQUENCE_TOO_OLD",
];

export interface StoredAt {
  readonly baseOffset: number;
  readonly storeTimestamp: number;
  readonly isDuplicate: boolean;
}

const ANSWER_BYTES = 18;

export function storedAnswer({ baseOffset, storeTimestamp, isDuplicate }: StoredAt): Uint8Array {
  const answer = Buffer.allocUnsafe(ANSWER_BYTES);
  answer[0] = STORED;
  answer[1] = isDuplicate ? 1 : 0;
  answer.writeDoubleLE(baseOffset, 2);
  answer.writeDoubleLE(storeTimestamp, 10);
  return answer;
}

export function refusedAnswer(refusal: PublishRefusal): Uint8Array {
  return Buffer.of(1 + REFUSALS.indexOf(refusal));
}

export function parsePublishAnswer(answer: Uint8Array): StoredAt | PublishRefusal {
  const [verdict = STORED] = answer;
  if (verdict !== STORED) return required(REFUSALS[verdict - 1], "a refusal has a number");
  const view = new DataView(answer.buffer, answer.byteOffset, answer.byteLength);
  return {
    baseOffset: view.getFloat64(2, true),
    storeTimestamp: view.getFloat64(10, true),
    isDuplicate: answer[1] === 1,
  };
}
