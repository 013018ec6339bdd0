/**
 * Messages that are stored as their producer has summed them, and that nobody can decode: whoever
 * encoded them has a defect. They come the same way each time, so a queue stops in front of them,
 * or they are skipped; either is told with the queue and the offsets.
 */

import { type OffsetRange, OperationError } from "@quorumlog/protocol";
import type { QueueName } from "./pull-consumer-options.ts";

/**
 * `stop`: the queue is not read on before its offset is reset, or sought; `skip`: it is read on
 * behind them, and they are never handed out.
 */
export type UndecodablePolicy = "stop" | "skip";

export interface UndecodableMessages {
  readonly queue: QueueName;
  /** `[firstOffset, nextOffset)` cannot be decoded. */
  readonly range: OffsetRange;
  /** Or the queue stands in front of them. */
  readonly isSkipped: boolean;
  /** `UNDECODABLE`, with what is wrong with the bytes and how to go on. */
  readonly error: OperationError;
}

export interface UndecodableHandling {
  readonly policy: UndecodablePolicy;
  /** Whose offsets would have to be reset, to go on. */
  readonly group?: string | undefined;
  readonly onUndecodable?: (told: UndecodableMessages) => void;
}

export function undecodableError(about: {
  readonly topic: string;
  readonly queue: number;
  readonly range: OffsetRange;
  readonly group: string | undefined;
  readonly cause: Error;
}): OperationError {
  const { topic, queue, range, group, cause } = about;
  const { firstOffset, nextOffset } = range;
  const offsets =
    nextOffset - firstOffset === 1
      ? `offset ${firstOffset}`
      : `offsets ${firstOffset} to ${nextOffset - 1}`;
  const reset =
    group === undefined
      ? ""
      : `, as by: quorumlog offset reset ${group} --topic ${topic} --queue ${queue} ` +
        `--to-offset ${nextOffset}`;
  const message =
    `${topic}, queue ${queue}: ${offsets} cannot be decoded: ${cause.message}. ` +
    `Whoever skips them goes on at ${nextOffset}${reset}`;
  return new OperationError("UNDECODABLE", message, { range, cause });
}
