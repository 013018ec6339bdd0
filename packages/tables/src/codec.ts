/** What the values of a table are, and which bytes stand for one. */

/** Equal values give equal bytes, on every machine: the bytes are part of snapshots. */
export interface Codec<Value> {
  /** @returns bytes that belong to the table from here on. */
  encode(value: Value): Uint8Array;

  /** @param bytes - Borrowed from the table: never written to. */
  decode(bytes: Uint8Array): Value;
}

export const textCodec: Codec<string> = {
  encode: (value) => Buffer.from(value, "utf8"),
  decode: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"),
};

/** Values that JSON can tell; their properties in the order in which they were made. */
export function jsonCodec<Value>(): Codec<Value> {
  return {
    encode: (value) => textCodec.encode(JSON.stringify(value)),
    decode: (bytes) => JSON.parse(textCodec.decode(bytes)) as Value,
  };
}
