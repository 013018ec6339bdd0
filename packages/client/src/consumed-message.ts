/** A message as a consumer gets it. */

import { type BatchMessage, messageId as idOf } from "@quorumlog/protocol";
import type { StoredBatch } from "@quorumlog/protocol/messages";

/** Where a batch lies. */
export interface BatchSource {
  readonly topic: string;
  readonly topicId: number;
  readonly queue: number;
}

export class ConsumedMessage {
  readonly topic: string;
  readonly topicId: number;
  readonly queue: number;
  /** In its queue: dense from 0. */
  readonly offset: number;
  /** A view of what was received: copy what is kept for long. */
  readonly body: Uint8Array;
  readonly tag: string | undefined;
  readonly keys: readonly string[];
  readonly messageGroup: string | undefined;
  readonly properties: Readonly<Record<string, string>>;
  /** When its producer made it, milliseconds since 1970. */
  readonly bornTimestamp: number;
  /** When the broker took it in, milliseconds since 1970. */
  readonly storeTimestamp: number;

  constructor(source: BatchSource, stored: StoredBatch.$Properties, message: BatchMessage) {
    this.topic = source.topic;
    this.topicId = source.topicId;
    this.queue = source.queue;
    this.offset = (stored.baseOffset ?? 0) + message.number;
    this.body = message.body;
    this.tag = message.tag;
    this.keys = message.keys ?? NO_KEYS;
    this.messageGroup = message.messageGroup;
    this.properties = message.properties ?? NO_PROPERTIES;
    this.bornTimestamp = message.bornTimestamp;
    this.storeTimestamp = stored.storeTimestampMs ?? 0;
  }

  /** Names it for good. */
  get messageId(): string {
    return idOf(this);
  }

  /** The body, read as UTF-8. */
  text(): string {
    const { buffer, byteOffset, byteLength } = this.body;
    return Buffer.from(buffer, byteOffset, byteLength).toString();
  }
}

const NO_KEYS: readonly string[] = Object.freeze([]);
const NO_PROPERTIES: Readonly<Record<string, string>> = Object.freeze({});
