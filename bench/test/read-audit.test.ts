// Goal: a read-back finds each message that is missing, comes twice, or is not what was sent.
// Method: bodies of messages that are left out, repeated and changed by hand.

import { expect, test } from "vitest";
import { BODY_BYTES_MIN, readBody, writeBody } from "../src/peers/peer-body.ts";
import { ReadAudit } from "../src/peers/read-audit.ts";

const BODY_BYTES = 100;

function bodyOf(serial: number, bytes = BODY_BYTES): Buffer {
  const body = Buffer.allocUnsafe(bytes);
  writeBody(body, serial, 1_000 + serial);
  return body;
}

test.each([BODY_BYTES_MIN, BODY_BYTES, 10_240])("a body of %d bytes tells what it is", (bytes) => {
  expect(readBody(bodyOf(70_000, bytes), bytes)).toEqual({ serial: 70_000, dueAt: 71_000 });
});

test.each([0, 12, 13, BODY_BYTES / 2, BODY_BYTES - 5, BODY_BYTES - 1])(
  "a body with byte %d changed is none",
  (at) => {
    const body = bodyOf(5);
    body.writeUInt8(body.readUInt8(at) ^ 1, at);

    expect(readBody(body, BODY_BYTES)).toBeUndefined();
  },
);

test("a body of another length is none", () => {
  expect(readBody(bodyOf(5, BODY_BYTES + 1), BODY_BYTES)).toBeUndefined();
});

test("what was acknowledged and not read is lost; what nobody knows of may be there or not", () => {
  const audit = new ReadAudit(BODY_BYTES);
  for (const serial of [0, 1, 3, 70_000]) audit.read(bodyOf(serial));
  audit.read(bodyOf(3));
  audit.read(Buffer.alloc(BODY_BYTES));

  expect(audit.distinct).toBe(4);
  expect(audit.figures({ count: 6, unknown: [3, 4] })).toEqual({
    read: 5,
    lost: 2,
    repeated: 1,
    damaged: 1,
  });
});
