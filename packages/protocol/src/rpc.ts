/** Services as grpc-js takes them, on a server and for a client's calls, of generated codecs. */

import type { Reader, Writer } from "protobufjs/minimal.js";
import { MessageWriter } from "./message-writer.ts";
import { RequestReader } from "../protobuf-runtime.js";

/** A generated class: it takes plain objects, and gives instances that have every field. */
export interface Codec<Sent, Received> {
  /** @returns the writer, or another one that has it. */
  encode(message: Sent, writer: Writer): Writer;
  decode(bytes: Uint8Array | Reader): Received;
}

/** What came in place of a request: bytes that are none. */
export class MalformedRequest {
  readonly problem: string;

  constructor(problem: string) {
    this.problem = problem;
  }
}

export interface Method<Request, Received, Reply, Answer> {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (request: Request) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Received;
  readonly responseSerialize: (reply: Reply) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Answer;
}

/** More than any request within the limits of its service has. */
const FIELDS_MAX = 500_000;

interface Kind {
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

export const UNARY: Kind = { requestStream: false, responseStream: false };
export const SERVER_STREAM: Kind = { requestStream: false, responseStream: true };
export const DUPLEX: Kind = { requestStream: true, responseStream: true };

/**
 * What one service has to say.
 *
 * @param service - With its package, as in the `.proto` file.
 */
export function methodsOf(service: string): MethodMaker {
  return (name, kind, request, reply) => ({
    path: `/${service}/${name}`,
    ...kind,
    requestSerialize: (message) => bytesOf(request, message),
    requestDeserialize: (bytes) => requestOf(request, bytes),
    responseSerialize: (message) => bytesOf(reply, message),
    responseDeserialize: (bytes) => reply.decode(bytes),
  });
}

type MethodMaker = <Request, Received, Reply, Answer>(
  name: string,
  kind: Kind,
  request: Codec<Request, Received>,
  reply: Codec<Reply, Answer>,
) => Method<Request, Received, Reply, Answer>;

/**
 * The port looks whether it is a request before any handler has it: see `RpcServer`. Thrown here,
 * it would end the call as a defect of the server.
 */
function requestOf<Received>(codec: Codec<never, Received>, bytes: Buffer): Received {
  try {
    return codec.decode(new RequestReader(bytes, FIELDS_MAX));
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return new MalformedRequest(problem) as Received;
  }
}

function bytesOf<Sent>(codec: Codec<Sent, unknown>, message: Sent): Buffer {
  const bytes = codec.encode(message, new MessageWriter()).finish();
  if (Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
