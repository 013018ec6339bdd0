/** Messages as lines: their bytes as they are, or for programs everything. */

import { isUtf8 } from "node:buffer";
import type { ConsumedMessage } from "@quorumlog/client";

export function messageLine(message: ConsumedMessage, isJson: boolean): string | Uint8Array {
  return isJson ? JSON.stringify(messageObject(message)) : message.body;
}

/** What is no text is in base 64, under another name. */
function messageObject(message: ConsumedMessage): object {
  const { topic, queue, offset, messageId, tag, keys, messageGroup, properties } = message;
  const { bornTimestamp, storeTimestamp, body } = message;
  const place = { topic, queue, offset, messageId };
  const times = { bornTimestamp, storeTimestamp };
  const text = isUtf8(body)
    ? { body: message.text() }
    : { bodyBase64: Buffer.from(body).toString("base64") };
  return { ...place, tag, keys, messageGroup, properties, ...times, ...text };
}
