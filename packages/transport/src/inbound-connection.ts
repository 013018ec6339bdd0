/**
 * One connection from outside: a handshake, then frames come in and signs of life go back.
 *
 * Until it has proved who it is, it costs no more than one message of the handshake.
 */

import type { Socket } from "node:net";
import { assert, releaseBytes } from "@quorumlog/std";
import type { AcceptedSocket } from "./accepted-socket.ts";
import {
  bareFrame,
  FRAME_DATA,
  FRAME_HEADER_BYTES,
  FRAME_PING,
  FRAME_PONG,
  type FrameKind,
} from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import { AcceptorHandshake } from "./handshake.ts";
import { encodeRefused, type Hello } from "./handshake-message.ts";
import { HandshakeStream, lengthPrefixed } from "./handshake-stream.ts";
import type { PeerIdentity } from "./transport.ts";
import type { TransportContext } from "./transport-context.ts";
import { type PeerError, TransportError } from "./transport-error.ts";
import { type BadConnection, count } from "./transport-status.ts";

export interface InboundConnectionInit {
  readonly accepted: AcceptedSocket;
  /**
   * The dialer has proved who it is; it is welcomed unless this throws.
   *
   * @throws TransportError why it is refused.
   */
  readonly onHello: (hello: Hello) => void;
  /** Called once. */
  readonly onEnd: () => void;
}

/** Of signs of life that the dialer does not read, no more are kept. */
const PONG_BYTES_MAX = 1_024;
const PONG = bareFrame(FRAME_PONG);
/** In `silenceMs`. A dialer gives up sooner: this is for those whose end was never heard. */
const PATIENCE = 3;

export class InboundConnection {
  readonly #init: InboundConnectionInit;
  readonly #context: TransportContext;
  readonly #socket: Socket;
  readonly #handshake: AcceptorHandshake;
  readonly #stream: HandshakeStream = new HandshakeStream();
  readonly #reader: FrameReader;
  #state: "handshake" | "refused" | "up" | "ended" = "handshake";
  #from: PeerIdentity | undefined;
  #silentTicks = 0;
  #isPongOwed = false;

  constructor(init: InboundConnectionInit, context: TransportContext) {
    this.#init = init;
    this.#context = context;
    const { socket } = init.accepted;
    this.#socket = socket;
    this.#handshake = new AcceptorHandshake(context.credentials);
    const { options, memory } = context;
    this.#reader = new FrameReader(options.frameBytesMax, memory, (kind, groupId, payload) => {
      this.#onFrame(kind, groupId, payload);
    });
    init.accepted.onChunk = (chunk) => {
      this.#onData(chunk);
    };
    const end = (): void => {
      this.destroy();
    };
    socket.on("end", end);
    socket.on("error", end);
    socket.on("close", end);
    socket.write(this.#handshake.challenge);
  }

  /** Says that bytes arrive, and ends a connection on which none do. */
  tick(): void {
    if (this.#state !== "up") return;
    const { pingMs, silenceMs } = this.#context.options;
    this.#silentTicks += 1;
    if (this.#silentTicks * pingMs > PATIENCE * silenceMs) this.#end("silent");
    else if (this.#isPongOwed) this.#pong();
  }

  destroy(): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#reader.stop();
    this.#socket.destroy();
    this.#init.onEnd();
  }

  #onData(chunk: Uint8Array): void {
    if (this.#state === "up") {
      this.#silentTicks = 0;
      // A ping may be far behind what fills the way here: what arrives is answered, too.
      this.#isPongOwed = true;
      this.#read(chunk);
    } else if (this.#state === "handshake") this.#onHandshakeData(chunk);
  }

  #onHandshakeData(chunk: Uint8Array): void {
    if (!this.#stream.push(chunk)) {
      this.#end("handshake");
      return;
    }
    const bytes = this.#stream.takeMessage();
    if (bytes === undefined) return;
    if (bytes === "tooLong") {
      this.#end("handshake");
      return;
    }
    try {
      const { hello, answer } = this.#handshake.onHello(bytes);
      this.#init.onHello(hello);
      this.#welcome(hello, answer);
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      this.#refuse(error as PeerError);
    }
  }

  #welcome(hello: Hello, answer: Buffer): void {
    this.#from = Object.freeze({ ...hello.from });
    this.#state = "up";
    this.#socket.write(lengthPrefixed(answer));
    this.#read(this.#stream.takeRest());
  }

  /** The dialer closes when it has read why; if not, its time for a handshake runs out. */
  #refuse(error: PeerError): void {
    const { counters, limitedLog } = this.#context;
    this.#state = "refused";
    count(counters.refusedHere, error.code);
    const remote = this.#socket.remoteAddress ?? "";
    const fields = { code: error.code, reason: error.message, remote };
    limitedLog.warn(error.code, "dialer refused", fields);
    this.#socket.end(lengthPrefixed(encodeRefused(error)));
  }

  #read(chunk: Uint8Array): void {
    const problem = this.#reader.push(chunk);
    if (problem !== undefined) this.#end(problem);
  }

  #onFrame(kind: FrameKind, groupId: number, payload: Uint8Array): void {
    const from = this.#from;
    assert(from !== undefined, "frames come from those who have proved who they are");
    if (kind === FRAME_PING) this.#pong();
    else if (kind === FRAME_DATA) {
      const { counters, groups } = this.#context;
      counters.framesIn += 1;
      counters.bytesIn += FRAME_HEADER_BYTES + payload.byteLength;
      if (groups.deliver(groupId, from, payload)) return;
      counters.dropped.unattached += 1;
      releaseBytes(payload);
    } else this.#end("kind");
  }

  #pong(): void {
    if (this.#socket.writableLength > PONG_BYTES_MAX) return;
    this.#isPongOwed = false;
    this.#socket.write(PONG);
  }

  #end(reason: BadConnection): void {
    if (this.#state === "ended") return;
    const { counters, limitedLog } = this.#context;
    count(counters.badConnections, reason);
    const nodeId = this.#from?.nodeId ?? "unknown";
    const remote = this.#socket.remoteAddress ?? "";
    limitedLog.warn(reason, "connection closed", { nodeId, remote });
    this.destroy();
  }
}
