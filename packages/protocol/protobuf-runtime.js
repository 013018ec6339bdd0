/**
 * What the generated codecs stand on: protobufjs, with integers of 64 bits as numbers.
 *
 * By itself it reads them as objects of `long` as soon as that is installed, for everybody in the
 * process. Here every such field stays below 2^53, or is checked against it.
 */

import protobuf from "protobufjs/minimal.js";

class NumberReader extends protobuf.BufferReader {
  static recursionLimit = protobuf.Reader.recursionLimit;

  static create(bytes) {
    return new NumberReader(bytes);
  }

  uint64() {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      if (this.pos >= this.len || scale > 2 ** 63) throw RangeError("a varint has no end");
      const byte = this.buf[this.pos++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  int64() {
    return Number(super.int64());
  }
}

/**
 * Of what came from outside: two bytes can stand for a field, and a field becomes an object, so
 * that a message of a few megabytes would take gigabytes.
 */
export class RequestReader extends NumberReader {
  #fieldsLeft;

  /** @param fieldsMax - In the message and in all messages within it. */
  constructor(bytes, fieldsMax) {
    super(bytes);
    this.#fieldsLeft = fieldsMax;
  }

  tag() {
    this.#fieldsLeft -= 1;
    if (this.#fieldsLeft < 0) throw RangeError("it has too many fields");
    return super.tag();
  }
}

const util = Object.create(protobuf.util, { Long: { value: undefined } });

// Generated code imports it so.
// oxlint-disable-next-line import/no-default-export
export default { ...protobuf, Reader: NumberReader, util, roots: {} };
