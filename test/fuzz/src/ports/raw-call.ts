/** A gRPC call that is written by hand: any path, any bytes, and whatever comes back. */

import type { ClientHttp2Session } from "node:http2";

export interface RawCall {
  readonly path: string;
  /** Written one after the other; each is a frame already. */
  readonly frames: readonly Buffer[];
  /** Whether the stream is ended behind them; else it is reset after a while. */
  readonly isEnded: boolean;
}

export interface RawAnswer {
  /** Of gRPC; `undefined` if the stream was reset, or said nothing in time. */
  readonly status: number | undefined;
  readonly statusMessage: string;
  /** What `quorumlog-error-bin` has. */
  readonly trailer: Buffer | undefined;
  readonly messages: readonly Buffer[];
}

const PATIENCE_MS = 300;
const FRAME_HEAD_BYTES = 5;
const TRAILER = "quorumlog-error-bin";

/** A message as it goes into a stream. */
export function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Never fails: a stream that is reset is an answer, too. */
export function rawCall(session: ClientHttp2Session, call: RawCall): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const received: Buffer[] = [];
    let answer: Omit<RawAnswer, "messages"> = {
      status: undefined,
      statusMessage: "",
      trailer: undefined,
    };
    const finish = (): void => {
      clearTimeout(timer);
      resolve({ ...answer, messages: messagesOf(Buffer.concat(received)) });
    };
    const stream = session.request({
      ":method": "POST",
      ":path": call.path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    // Closing would wait for what is still to be written.
    const timer = setTimeout(() => {
      stream.destroy();
    }, PATIENCE_MS);
    const take = (headers: Readonly<Record<string, unknown>>): void => {
      if (headers["grpc-status"] === undefined) return;
      const trailer = headers[TRAILER];
      answer = {
        status: Number(headers["grpc-status"]),
        statusMessage: JSON.stringify(headers["grpc-message"] ?? ""),
        trailer: typeof trailer === "string" ? Buffer.from(trailer, "base64") : undefined,
      };
    };
    stream.on("response", take);
    stream.on("trailers", take);
    stream.on("data", (bytes: Buffer) => received.push(bytes));
    stream.on("close", finish);
    stream.on("error", () => undefined); // It is closed next.
    for (const frame of call.frames) stream.write(frame);
    if (call.isEnded) stream.end();
  });
}

function messagesOf(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at + FRAME_HEAD_BYTES <= bytes.length;) {
    const end = at + FRAME_HEAD_BYTES + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) break;
    messages.push(bytes.subarray(at + FRAME_HEAD_BYTES, end));
    at = end;
  }
  return messages;
}
