import type { Reader } from "protobufjs/minimal.js";

export declare class RequestReader extends Reader {
  /** @param fieldsMax - In the message and in all messages within it. */
  constructor(bytes: Uint8Array, fieldsMax: number);
}
