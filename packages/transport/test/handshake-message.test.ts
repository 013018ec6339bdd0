// Goal: what is written by hand is what the .proto says, to any other program that reads it.
// Method: protobufjs reads the definition, and both sides read what the other has written.

import * as fc from "fast-check";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import { describe, expect, test } from "vitest";
import {
  commonVersion,
  decodeAnswer,
  decodeHello,
  encodeHello,
  encodeRefused,
  encodeWelcome,
  type Hello,
} from "../src/handshake-message.ts";
import { TransportError } from "../src/index.ts";

const PROTO = new URL("../../../proto/quorumlog/peer/v1/handshake.proto", import.meta.url);
const root = protobuf.loadSync(fileURLToPath(PROTO));
const HelloType = root.lookupType("quorumlog.peer.v1.Hello");
const AnswerType = root.lookupType("quorumlog.peer.v1.Answer");
const SHOWN = { longs: Number, enums: String, defaults: true };

const HELLO: Hello = {
  versions: { min: 1, max: 3 },
  clusterId: "orders-ü",
  from: { nodeId: 2 ** 53 - 1, incarnation: 300 },
  toNodeId: 0,
  lane: "bulk",
  groupIds: [0, 127, 128, 2 ** 32 - 1],
  nonce: Buffer.alloc(32, 7),
};
const proof = Buffer.alloc(32, 9);

test("another program reads a hello", () => {
  const bytes = encodeHello(HELLO, () => proof);

  const { nonce, proof: found, ...others } = HelloType.toObject(HelloType.decode(bytes), SHOWN);

  expect(others).toEqual({
    versionMin: 1,
    versionMax: 3,
    clusterId: "orders-ü",
    nodeId: 2 ** 53 - 1,
    incarnation: 300,
    toNodeId: 0,
    lane: "LANE_BULK",
    features: 0,
    groupIds: [0, 127, 128, 2 ** 32 - 1],
  });
  expect([...nonce]).toEqual([...HELLO.nonce]);
  expect([...found]).toEqual([...proof]);
});

test("a hello of another program is read", () => {
  const { versions, from, lane: _, ...same } = HELLO;
  const hello = { ...same, ...from, versionMin: versions.min, versionMax: versions.max, lane: 2 };
  const bytes = HelloType.encode(HelloType.create({ ...hello, proof })).finish();

  const decoded = decodeHello(bytes);

  expect(decoded.message).toEqual({ ...HELLO, nonce: decoded.message.nonce });
  expect([...decoded.message.nonce]).toEqual([...HELLO.nonce]);
  expect([...decoded.proof]).toEqual([...proof]);
  expect(decoded.covered.byteLength).toBe(bytes.byteLength - 34);
});

test("another program reads a welcome, and why there is none", () => {
  const from = { nodeId: 3, incarnation: 4 };
  const welcome = AnswerType.decode(encodeWelcome({ version: 1, from }, () => proof));
  const refused = AnswerType.decode(encodeRefused(new TransportError("PEER_NODE", "why")));

  expect(AnswerType.toObject(welcome, { longs: Number })).toMatchObject({
    welcome: { version: 1, nodeId: 3, incarnation: 4 },
  });
  expect(AnswerType.toObject(refused, { enums: String })).toEqual({
    refused: { code: "REFUSAL_CODE_NODE", message: "why" },
  });
});

test.each([
  [1, "PEER_VERSION"],
  [8, "PEER_LIMIT"],
  [99, "PEER_REFUSED"],
])("refusal %i of another program is %s, without control characters", (code, expected) => {
  const refused = { code, message: "no\u001B[31m\nway" };
  const bytes = AnswerType.encode(AnswerType.create({ refused })).finish();

  expect(() => decodeAnswer(bytes)).toThrow(
    expect.objectContaining({ code: expected, message: "no?[31m?way" }),
  );
});

describe("of a later version", () => {
  const { root: later } = protobuf.parse(`syntax = "proto3";
    message Hello {
      uint32 version_min = 1; uint32 version_max = 2; string cluster_id = 3; uint64 node_id = 4;
      uint64 incarnation = 5; uint64 to_node_id = 6; uint32 lane = 7; bytes nonce = 10;
      fixed64 a = 11; fixed32 b = 12; string c = 13; uint64 d = 14; bytes proof = 15; bytes e = 16;
    }`);
  const type = later.lookupType("Hello");
  const fields = { versionMin: 1, versionMax: 9, clusterId: "c", nodeId: 1, incarnation: 2 };
  const more = { toNodeId: 3, lane: 1, nonce: HELLO.nonce, a: 1, b: 2, c: "x", d: 2 ** 60 };

  test("fields that are not known are skipped, and covered by the proof", () => {
    const bytes = type.encode(type.create({ ...fields, ...more, proof })).finish();

    const { message, covered } = decodeHello(bytes);

    expect(message).toMatchObject({ clusterId: "c", from: { nodeId: 1, incarnation: 2 } });
    expect(covered.byteLength).toBe(bytes.byteLength - 34);
  });

  test("a field behind the proof is not let pass", () => {
    const bytes = type.encode(type.create({ ...fields, ...more, proof, e: proof })).finish();

    expect(() => decodeHello(bytes)).toThrow("a proof as its last field");
  });
});

test("a hello has room for a few groups only", () => {
  const groupIds = Array.from({ length: 10_000 }, (_, i) => 2 ** 32 - 10_001 + i);
  const bytes = encodeHello({ ...HELLO, groupIds, clusterId: "c".repeat(256) }, () => proof);

  expect(bytes.byteLength).toBeLessThan(2_048);
  expect(decodeHello(bytes).message.groupIds).toEqual(groupIds.slice(0, 256));
});

test("whatever the bytes are, they are read or refused, and nothing else happens", () => {
  const sound = encodeHello(HELLO, () => proof);
  const damaged = fc
    .tuple(fc.nat(sound.byteLength - 1), fc.nat(255))
    .map(([at, byte]) => Buffer.from(sound).fill(byte, at, at + 1));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), damaged), (bytes) => {
      for (const decode of [decodeHello, decodeAnswer])
        try {
          decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(TransportError);
        }
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  [1, 1, 1, 1, 1],
  [1, 3, 2, 5, 3],
  [2, 5, 1, 3, 3],
  [1, 2, 3, 4, undefined],
  [3, 4, 1, 2, undefined],
])("versions %i to %i and %i to %i have %s in common", (...row) => {
  const [a, b, c, d, expected] = row;
  expect(commonVersion({ min: a, max: b }, { min: c, max: d })).toBe(expected);
});
