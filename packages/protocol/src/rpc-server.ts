/**
 * A port that speaks gRPC: it takes services, tells of them by health and reflection, and lets go
 * of everything when it is closed.
 */

import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerErrorResponse,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { InvariantViolation } from "@quorumlog/std";
import { ConnectionPort } from "./connection-port.ts";
import { grpcFailure, OperationError } from "./operation-error.ts";
import { PortDescription } from "./port-description.ts";
import { RequestIntake } from "./request-intake.ts";
import { MalformedRequest, type Method } from "./rpc.ts";
import { widenConnections, widenStreams } from "./rpc-window.ts";

export interface RpcTls {
  /** PEM. */
  readonly certificate: string | Buffer;
  readonly key: string | Buffer;
  /** PEM: clients have to show a certificate of this authority. */
  readonly clientAuthority?: string | Buffer;
}

export interface RpcServerOptions {
  /** As `host:port`; port 0 takes a free one. */
  readonly listen: string;
  readonly tls?: RpcTls;
  /** Of one message, in bytes; default 16 MiB. */
  readonly messageBytesMax?: number;
  /** Of clients, at a time: more are dropped. In `[1, 1000000]`, default 10000. */
  readonly connectionCountMax?: number;
  /** Of calls, of all connections, at a time. In `[1, 1000000]`, default 20000. */
  readonly streamCountMax?: number;
  /**
   * Of requests that are not whole, or not read yet, of all streams, in bytes: with more, the
   * streams that hold most are ended. In `[16 MiB, 1 TiB]`, default 512 MiB.
   */
  readonly unreadBytesMax?: number;
  /** A handler has thrown what is no operating error: the process should end. */
  readonly onDefect: (error: unknown) => void;
}

/** What a handler of a unary call is told. */
export interface CallContext {
  /** Aborted when the client gives up, or its deadline has passed. */
  readonly signal: AbortSignal;
  /** Of the client, as `host:port`. */
  readonly peer: string;
}

/** What a service has to do, method by method. */
export type Handlers<Service> = {
  readonly [Name in keyof Service]: Service[Name] extends Method<
    infer _Request,
    infer Received,
    infer Reply,
    infer _Answer
  >
    ? Handler<Received, Reply>
    : never;
};

/**
 * One of the three, as the method is; of a stream, the call itself: whoever writes minds what
 * `write` returns, and ends it by `end()` or `endWith`.
 */
export type Handler<Received, Reply> =
  | { readonly unary: (request: Received, context: CallContext) => Promise<Reply> | Reply }
  | { readonly serverStream: (call: ServerWritableStream<Received, Reply>) => void }
  | { readonly duplex: (call: ServerDuplexStream<Received, Reply>) => void };

const MIB = 1024 * 1024;
const MESSAGE_BYTES_MAX = 16 * MIB;
const CONNECTION_COUNT_MAX = 10_000;
const STREAM_COUNT_MAX = 20_000;
const UNREAD_BYTES_MAX = 512 * MIB;
const KEEPALIVE_MS = 10_000;
/** Of calls of one connection, at a time. */
const STREAMS_MAX = 1_000;

export class RpcServer {
  readonly #server: Server;
  readonly #options: RpcServerOptions;
  readonly #description = new PortDescription();
  readonly #intake: RequestIntake;
  #port = 0;
  #connections: ConnectionPort | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: RpcServerOptions) {
    const { messageBytesMax = MESSAGE_BYTES_MAX, streamCountMax = STREAM_COUNT_MAX } = options;
    const { unreadBytesMax = UNREAD_BYTES_MAX } = options;
    this.#options = options;
    this.#intake = new RequestIntake({ streamCountMax, unreadBytesMax });
    this.#server = new Server({
      "grpc.max_receive_message_length": messageBytesMax,
      "grpc.max_send_message_length": -1,
      "grpc.max_concurrent_streams": STREAMS_MAX,
      // A client that is gone without a word is noticed, and its streams end.
      "grpc.keepalive_time_ms": KEEPALIVE_MS,
      "grpc.keepalive_timeout_ms": KEEPALIVE_MS,
      "grpc.http2.min_ping_interval_without_data_ms": 1_000,
      // Statistics of every message and connection, that nobody here asks for.
      "grpc.enable_channelz": 0,
      interceptors: [this.#intake.interceptor(), refusingMalformed],
    });
    widenStreams(this.#server);
  }

  /** Of the address that it listens on. */
  get port(): number {
    return this.#port;
  }

  /** Connections that were one too many, since it was opened. */
  get droppedConnectionCount(): number {
    return this.#connections?.droppedCount ?? 0;
  }

  /** What it holds of requests, and how many calls. */
  get intake(): Pick<RequestIntake, "refusedCount" | "streamCount" | "unreadBytes"> {
    return this.#intake;
  }

  /** Before `open`. */
  handle<Service extends Readonly<Record<string, Method<never, unknown, never, unknown>>>>(
    service: Service,
    handlers: Handlers<Service>,
  ): void {
    const implementation: Record<string, unknown> = {};
    for (const { path } of Object.values(service)) this.#description.add(path);
    for (const [name, handler] of Object.entries<Handler<unknown, unknown>>(handlers))
      implementation[name] = this.#implementationOf(handler);
    this.#server.addService(service as unknown as ServiceDefinition, implementation as never);
  }

  /** @throws OperationError `LISTEN_FAILED` if it cannot listen there */
  async open(): Promise<void> {
    const { listen, tls, connectionCountMax = CONNECTION_COUNT_MAX } = this.#options;
    this.#description.serve(this.#server);
    const credentials =
      tls === undefined
        ? ServerCredentials.createInsecure()
        : ServerCredentials.createSsl(
            tls.clientAuthority === undefined ? null : Buffer.from(tls.clientAuthority),
            [{ cert_chain: Buffer.from(tls.certificate), private_key: Buffer.from(tls.key) }],
            tls.clientAuthority !== undefined,
          );
    const injector = this.#server.createConnectionInjector(credentials);
    widenConnections(this.#server);
    this.#connections = new ConnectionPort({ listen, connectionCountMax, injector });
    try {
      this.#port = await this.#connections.open();
    } catch (error) {
      throw cannotListen(listen, error as Error);
    }
  }

  /** Ends the streams that are still there after a while. Idempotent. */
  close(graceMs = 1_000): Promise<void> {
    this.#description.stop();
    this.#connections?.close();
    this.#intake.close();
    this.#closing ??= new Promise((resolve) => {
      const force = setTimeout(() => {
        this.#server.forceShutdown();
        resolve();
      }, graceMs);
      this.#server.tryShutdown(() => {
        clearTimeout(force);
        resolve();
      });
    });
    return this.#closing;
  }

  #implementationOf(handler: Handler<unknown, unknown>): unknown {
    if ("serverStream" in handler)
      return this.#guarded(handler.serverStream) satisfies handleServerStreamingCall<
        unknown,
        unknown
      >;
    if ("duplex" in handler)
      return this.#guarded(handler.duplex) satisfies handleBidiStreamingCall<unknown, unknown>;
    return (
      call: ServerUnaryCall<unknown, unknown>,
      answer: (error: Partial<ServerErrorResponse> | null, reply?: unknown) => void,
    ): void => {
      promised(() => handler.unary(call.request, contextOf(call))).then(
        (reply) => {
          answer(null, reply);
        },
        (error: unknown) => {
          answer(this.#failureOf(error));
        },
      );
    };
  }

  #guarded<Call extends { destroy(error?: Error): unknown }>(
    handle: (call: Call) => void,
  ): (call: Call) => void {
    return (call) => {
      try {
        handle(call);
      } catch (error) {
        endWith(call as never, this.#failureOf(error));
      }
    };
  }

  /** Of what a handler has thrown. */
  #failureOf(error: unknown): ReturnType<typeof grpcFailure> {
    if (error instanceof OperationError) return grpcFailure(error);
    this.#options.onDefect(error);
    const kind = error instanceof InvariantViolation ? "a broken invariant" : "a defect";
    return grpcFailure(new OperationError("FAILED", `${kind} ended the call`, { cause: error }));
  }
}

/** Bytes that are no request end their call before its handler has them. */
const refusingMalformed: ServerInterceptor = (method, call) =>
  new ServerInterceptingCall(call, {
    start: (next) => {
      next({
        onReceiveMessage: (message: unknown, pass) => {
          if (message instanceof MalformedRequest)
            call.sendStatus(grpcFailure(malformed(method.path, message)));
          else pass(message);
        },
      });
    },
  });

function malformed(path: string, { problem }: MalformedRequest): OperationError {
  const problems = [{ field: "request", problem }];
  return new OperationError("INVALID_ARGUMENT", `these bytes are no ${path}: ${problem}`, {
    problems,
  });
}

/** Ends a stream with an operating error. */
export function endWith(
  call: Pick<ServerWritableStream<unknown, unknown>, "emit">,
  error: OperationError | ReturnType<typeof grpcFailure>,
): void {
  // As grpc-js has a stream of a server end with a status.
  call.emit("error", error instanceof OperationError ? grpcFailure(error) : error);
}

/** Of work that may fail before it has a promise. */
async function promised<T>(work: () => Promise<T> | T): Promise<T> {
  return work();
}

function contextOf(call: ServerUnaryCall<unknown, unknown>): CallContext {
  const controller = new AbortController();
  call.on("cancelled", () => {
    controller.abort();
  });
  return { signal: controller.signal, peer: call.getPeer() };
}

function cannotListen(listen: string, cause: Error): OperationError {
  return new OperationError("LISTEN_FAILED", `cannot listen on ${listen}: ${cause.message}`, {
    cause,
    problems: [{ field: "listen", problem: cause.message }],
  });
}
