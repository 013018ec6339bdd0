/**
 * What a node serves to clients: calls by name, over HTTP.
 *
 *     POST /append   {"value":17,"timeoutMs":1000}      200  {"offset":4}
 *                                                       503  {"code":"NOT_LEADER", ...}
 *
 * Connections are kept for as long as the client wants.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { badCall, refusalOf } from "./call-error.ts";
import { CallInput } from "./call-input.ts";

/** @returns what is answered, as fields that JSON has. @throws whatever {@link refusalOf} tells. */
type Call = (input: CallInput) => object | Promise<object>;

export type Calls = Readonly<Record<string, Call>>;

export interface CallServer {
  readonly port: number;
  /** Lets go of the port and of all connections; what is under way is not answered. */
  close(): Promise<void>;
}

export interface CallPlace {
  /** 0: one that is free. */
  readonly port: number;
  /** Default `127.0.0.1`. */
  readonly host?: string;
}

const REQUEST_BYTES_MAX = 64 * 1024;

/** @throws Error if the port cannot be had. */
export async function serveCalls(
  calls: Calls,
  { port, host = "127.0.0.1" }: CallPlace,
): Promise<CallServer> {
  // A connection that nobody uses for a while is not closed under whoever uses it next.
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    void respond(calls, request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

async function respond(
  calls: Calls,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let status = 200;
  let answer: object;
  try {
    answer = await answerOf(calls, request);
  } catch (error) {
    const refusal = refusalOf(error);
    status = refusal.code === "INVALID_ARGUMENT" ? 400 : 503;
    answer = refusal;
  }
  const body = JSON.stringify(answer);
  const length = Buffer.byteLength(body);
  response.writeHead(status, { "content-type": "application/json", "content-length": length });
  response.end(body);
}

async function answerOf(calls: Calls, request: IncomingMessage): Promise<object> {
  const name = (request.url ?? "/").slice(1);
  const call = Object.hasOwn(calls, name) ? calls[name] : undefined;
  const body = await bodyOf(request);
  if (call === undefined) throw badCall(`there is no call ${JSON.stringify(name)}`);
  return call(new CallInput(body));
}

/** @throws CallError of one that is too long; Error of a client that goes away in its middle. */
async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > REQUEST_BYTES_MAX)
      throw badCall(`a call has ${REQUEST_BYTES_MAX} bytes of JSON at most`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

function close(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => {
      if (error === undefined) resolve();
      else reject(error);
    });
    server.closeAllConnections();
  });
}
