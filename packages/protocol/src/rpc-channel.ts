/** Calls to one address: it connects when it is used, and again when the connection was lost. */

import { setMaxListeners } from "node:events";
import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  connectivityState,
} from "@grpc/grpc-js";
import { type ChannelTls, channelCredentials } from "./channel-credentials.ts";
import { fromGrpcFailure, OperationError } from "./operation-error.ts";
import type { Method } from "./rpc.ts";
import { WINDOW_BYTES } from "./rpc-window.ts";

export interface RpcChannelOptions {
  /** As `host:port`. */
  readonly address: string;
  readonly tls?: ChannelTls;
}

export interface UnaryOptions {
  /** In milliseconds; default 10000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const TIMEOUT_MS = 10_000;
const KEEPALIVE_MS = 10_000;
const KEEPALIVE_TIMEOUT_MS = 5_000;
const RECONNECT_MS_MIN = 100;
const RECONNECT_MS_MAX = 1_000;

export class RpcChannel {
  readonly address: string;
  readonly #client: Client;

  constructor({ address, tls }: RpcChannelOptions) {
    this.address = address;
    this.#client = new Client(address, channelCredentials(address, tls), {
      "grpc.max_receive_message_length": -1,
      "grpc.max_send_message_length": -1,
      "grpc.initial_reconnect_backoff_ms": RECONNECT_MS_MIN,
      "grpc.min_reconnect_backoff_ms": RECONNECT_MS_MIN,
      "grpc.max_reconnect_backoff_ms": RECONNECT_MS_MAX,
      // Whoever has vanished without a word is noticed.
      "grpc.keepalive_time_ms": KEEPALIVE_MS,
      "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
      // Calls to one address share a connection with nobody else.
      "grpc.use_local_subchannel_pool": 1,
      "grpc-node.flow_control_window": WINDOW_BYTES,
      // Statistics of every message and connection, that nobody here asks for.
      "grpc.enable_channelz": 0,
    });
  }

  /** @throws OperationError, with what the other side said, or why it was not reached */
  call<Request, Received, Reply, Answer>(
    method: Method<Request, Received, Reply, Answer>,
    request: Request,
    options: UnaryOptions = {},
  ): Promise<Answer> {
    const { timeoutMs = TIMEOUT_MS, signal } = options;
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(notBegun());
        return;
      }
      const onAbort = (): void => {
        call.cancel();
      };
      const call = this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        { deadline: Date.now() + timeoutMs },
        (error, answer) => {
          signal?.removeEventListener("abort", onAbort);
          if (error === null && answer !== undefined) resolve(answer);
          else reject(fromGrpcFailure(error ?? {}));
        },
      );
      if (signal === undefined) return;
      // One signal may stop any number of calls: each lets go of it.
      setMaxListeners(0, signal);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  /**
   * Connects, if it is not connected: for a call that must not be lost on the way without a word.
   *
   * @throws OperationError `UNAVAILABLE`, `ABORTED`, not applied: nothing was sent
   */
  async connect(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const channel = this.#client.getChannel();
    // A clock that is set meanwhile makes it neither shorter nor longer.
    const endsAt = performance.now() + timeoutMs;
    for (;;) {
      if (signal?.aborted === true) throw notBegun();
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY) return;
      const isWaiting = state === connectivityState.CONNECTING || state === connectivityState.IDLE;
      const leftMs = endsAt - performance.now();
      if (!isWaiting || leftMs <= 0)
        throw new OperationError("UNAVAILABLE", `${this.address} is not reached`, {
          outcome: "not-applied",
        });
      await new Promise<void>((resolve) => {
        const onNews = (): void => {
          signal?.removeEventListener("abort", onNews);
          resolve();
        };
        signal?.addEventListener("abort", onNews, { once: true });
        // Late or not: the loop looks.
        channel.watchConnectivityState(state, Date.now() + leftMs, onNews);
      });
    }
  }

  serverStream<Request, Received, Reply, Answer>(
    method: Method<Request, Received, Reply, Answer>,
    request: Request,
  ): ClientReadableStream<Answer> {
    return this.#client.makeServerStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
    );
  }

  duplex<Request, Received, Reply, Answer>(
    method: Method<Request, Received, Reply, Answer>,
  ): ClientDuplexStream<Request, Answer> {
    return this.#client.makeBidiStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
    );
  }

  /** Connects no more; streams are ended by whoever opened them. Idempotent. */
  close(): void {
    this.#client.close();
  }
}

function notBegun(): OperationError {
  return new OperationError("ABORTED", "was given up", { outcome: "not-applied" });
}
