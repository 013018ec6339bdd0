// Goal: bytes that are no request are refused by name, whatever the method; no port says that it
// has a defect because a client has one, and none pays with memory for what is not wanted.
// Method: a real port; frames that are written by hand, of methods of each kind.

import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { expect, onTestFinished, test } from "vitest";
import {
  BROKER_SERVICE,
  endWith,
  fromGrpcFailure,
  type OperationError,
  OperationError as PortError,
  RpcServer,
} from "../src/index.ts";

const SAME = (bytes: Buffer): Buffer => bytes;
const FIELD = Buffer.of(0x22, 0);

async function openPort(): Promise<{ readonly client: Client; readonly defects: unknown[] }> {
  const defects: unknown[] = [];
  const server = new RpcServer({
    listen: "127.0.0.1:0",
    onDefect: (error) => defects.push(error),
  });
  server.handle(BROKER_SERVICE, {
    publish: {
      duplex: (call) => {
        call.on("data", ({ batches }) => call.write({ requestId: batches.length }));
        call.on("end", () => call.end());
        call.on("error", () => undefined);
      },
    },
    fetch: {
      duplex: (call) => {
        endWith(call, new PortError("UNKNOWN_TOPIC", "ü".repeat(100_000)));
      },
    },
    queryOffsets: { unary: () => ({}) },
    listProducers: { unary: () => ({}) },
    queryByKey: {
      unary: ({ key }) => {
        throw new PortError("INVALID_ARGUMENT", `"${key}" is none`, {
          problems: Array.from({ length: 1_000 }, () => ({ field: key, problem: key })),
        });
      },
    },
  });
  await server.open();
  const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
  onTestFinished(async () => {
    client.close();
    await server.close();
  });
  return { client, defects };
}

function unary(client: Client, path: string, request: Buffer): Promise<OperationError> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, SAME, SAME, request, (error) => {
      if (error === null) reject(new Error("it was taken"));
      else resolve(fromGrpcFailure(error));
    });
  });
}

function duplex(client: Client, path: string, request: Buffer): Promise<OperationError> {
  return new Promise((resolve) => {
    const call = client.makeBidiStreamRequest(path, SAME, SAME);
    call.on("data", () => undefined);
    call.on("error", (error: ServiceError) => {
      resolve(fromGrpcFailure(error));
    });
    call.write(request);
  });
}

test.each([
  ["a length beyond the end", Buffer.of(0x22, 0xff, 0x7f)],
  ["a varint without an end", Buffer.alloc(12, 0xff)],
  ["a group that is not closed", Buffer.of(0x0b)],
])("%s is refused as an argument", async (_, bytes) => {
  const { client, defects } = await openPort();

  const errors = [
    await unary(client, BROKER_SERVICE.queryOffsets.path, bytes),
    await duplex(client, BROKER_SERVICE.publish.path, bytes),
  ];

  for (const error of errors)
    expect(error).toMatchObject({
      code: "INVALID_ARGUMENT",
      outcome: "not-applied",
      advice: "do-not-retry",
      problems: [{ field: "request" }],
    });
  expect(defects).toEqual([]);
});

test("more fields than any request has are refused before they are objects", async () => {
  const { client } = await openPort();
  const bytes = Buffer.alloc(4_000_000, FIELD);

  const error = await duplex(client, BROKER_SERVICE.publish.path, bytes);

  expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(error.message).toContain("too many fields");
});

test("an error that quotes what is long goes out, shortened", async () => {
  const { client } = await openPort();
  const key = Buffer.from("k".repeat(60_000));
  const header = Buffer.of(0x12, 0xe0, 0xd4, 0x03);

  const quoted = await unary(client, BROKER_SERVICE.queryByKey.path, Buffer.concat([header, key]));
  const streamed = await duplex(client, BROKER_SERVICE.fetch.path, Buffer.alloc(0));

  expect(quoted.code).toBe("INVALID_ARGUMENT");
  expect(quoted.message.length).toBeLessThan(3_000);
  expect(quoted.problems).toHaveLength(20);
  expect(streamed.code).toBe("UNKNOWN_TOPIC");
});
