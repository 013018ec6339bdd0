/**
 * What a port holds of requests that have not arrived whole, or that nobody has read yet: of all
 * streams of all connections together.
 *
 * HTTP/2 bounds what is on its way on one stream, and gRPC one message. A client may have a
 * thousand streams, and there may be thousands of clients: begun requests that are never ended
 * would fill the memory. So streams are counted, and looked through now and then; if they hold too
 * much, those that hold most are ended. Between two looks a port takes as much as its network
 * brings.
 */

import { type ServerInterceptor, ServerInterceptingCall } from "@grpc/grpc-js";
import type { ServerHttp2Stream } from "node:http2";
import { required } from "@quorumlog/std";
import { grpcFailure, OperationError } from "./operation-error.ts";

export interface RequestIntakeLimits {
  /** Of calls, of all connections, at a time: more are refused. */
  readonly streamCountMax: number;
  /** Of requests that are not whole, or not read yet, in bytes. */
  readonly unreadBytesMax: number;
}

const LOOK_MS = 100;
const RETRY_MS = 1_000;
const MIB = 1024 * 1024;
/** A flag, and the length of the message in four bytes. */
const HEAD_BYTES = 5;

export class RequestIntake {
  readonly #limits: RequestIntakeLimits;
  readonly #streams = new Set<StreamIntake>();
  /** That were told so at the last look, and may go on sending until the next one. */
  #ended: StreamIntake[] = [];
  #timer: NodeJS.Timeout | undefined;
  #refusedCount = 0;

  constructor(limits: RequestIntakeLimits) {
    this.#limits = limits;
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  /** Calls that were one too many, and streams that held too much, since it was made. */
  get refusedCount(): number {
    return this.#refusedCount;
  }

  /** In bytes. */
  unreadBytes(): number {
    let bytes = 0;
    for (const stream of this.#streams) bytes += stream.heldBytes;
    return bytes;
  }

  /** The first of a server's interceptors: it sees the calls as grpc-js has made them. */
  interceptor(): ServerInterceptor {
    return (_method, call) => {
      const { streamCountMax } = this.#limits;
      const isRefused = this.#streams.size >= streamCountMax;
      if (!isRefused) this.#admit(call);
      return new ServerInterceptingCall(call, {
        start: (next) => {
          if (!isRefused) {
            next();
            return;
          }
          this.#refusedCount += 1;
          const why = `${streamCountMax} calls are open on this port`;
          call.sendStatus(grpcFailure(overloaded(why, "not-applied")));
        },
      });
    };
  }

  /** It looks no more. Idempotent. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #admit(call: InnermostCall): void {
    // Not of grpc-js's public interface: a test sees that it is there.
    const intake = new StreamIntake(call, required(call.stream, "a call has its stream"));
    this.#streams.add(intake);
    call.stream?.once("close", () => {
      this.#streams.delete(intake);
      if (this.#streams.size + this.#ended.length === 0) this.close();
    });
    this.#timer ??= setInterval(() => {
      this.#look();
    }, LOOK_MS).unref();
  }

  #look(): void {
    const { unreadBytesMax } = this.#limits;
    for (const stream of this.#ended.splice(0)) stream.destroy();
    let bytes = this.unreadBytes();
    if (bytes <= unreadBytesMax) return;
    const most = `${Math.round(unreadBytesMax / MIB)} MiB`;
    const why = `requests that are not whole, or not read yet, hold more than ${most} of this port`;
    const error = overloaded(`${why}, and this stream the most of it`, "unknown");
    const largestFirst = [...this.#streams].sort((a, b) => b.heldBytes - a.heldBytes);
    for (const stream of largestFirst) {
      if (bytes <= unreadBytesMax) return;
      bytes -= stream.heldBytes;
      stream.end(error);
      this.#streams.delete(stream);
      this.#ended.push(stream);
      this.#refusedCount += 1;
    }
  }
}

interface InnermostCall extends Pick<ServerInterceptingCall, "sendStatus"> {
  readonly stream?: ServerHttp2Stream;
}

/** One stream: of its bytes, those of a message that has not arrived whole, and those unread. */
class StreamIntake {
  readonly #call: InnermostCall;
  readonly #stream: ServerHttp2Stream;
  /** Of the message that is arriving, with its head. */
  #arrivedBytes = 0;
  #messageBytes = 0;

  constructor(call: InnermostCall, stream: ServerHttp2Stream) {
    this.#call = call;
    this.#stream = stream;
    stream.on("data", (chunk: Buffer) => {
      this.#take(chunk);
    });
  }

  get heldBytes(): number {
    return this.#arrivedBytes + this.#stream.readableLength;
  }

  end(error: OperationError): void {
    this.#call.sendStatus(grpcFailure(error));
  }

  /** Whoever has heard why is not waited for. */
  destroy(): void {
    this.#stream.destroy();
  }

  #take(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#arrivedBytes < HEAD_BYTES) {
        // The first of the five is a flag.
        this.#messageBytes =
          this.#arrivedBytes === 0 ? 0 : this.#messageBytes * 256 + chunk.readUInt8(at);
        this.#arrivedBytes += 1;
        at += 1;
      } else {
        const left = HEAD_BYTES + this.#messageBytes - this.#arrivedBytes;
        const taken = Math.min(left, chunk.length - at);
        this.#arrivedBytes += taken;
        at += taken;
      }
      if (this.#arrivedBytes === HEAD_BYTES + this.#messageBytes) this.#arrivedBytes = 0;
    }
  }
}

function overloaded(why: string, outcome: "not-applied" | "unknown"): OperationError {
  return new OperationError("OVERLOADED", why, { outcome, retryAfterMs: RETRY_MS });
}
