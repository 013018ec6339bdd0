/**
 * One connection that this node has dialed: frames go out, signs of life come back.
 *
 *     connecting ──> handshaking ──> up ──> ended        (from any state, once)
 *
 * What was sent in one turn of the event loop leaves in one write. What the kernel has not taken
 * waits in the socket, which counts it.
 */

import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { holdBytes, releaseBytes } from "@quorumlog/std";
import type { Address } from "./address.ts";
import {
  bareFrame,
  FRAME_DATA,
  FRAME_HEADER_BYTES,
  FRAME_PING,
  FRAME_PONG,
  writeFrameHeader,
} from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import { DialerHandshake } from "./handshake.ts";
import { CHALLENGE_BYTES } from "./handshake-message.ts";
import { HandshakeStream, lengthPrefixed } from "./handshake-stream.ts";
import { type LaneEnd, laneEndOf } from "./lane-end.ts";
import type { Lane, NodeId, PeerIdentity } from "./transport.ts";
import type { TransportContext } from "./transport-context.ts";
import { TransportError } from "./transport-error.ts";

export interface OutboundLaneInit {
  readonly lane: Lane;
  readonly toNodeId: NodeId;
  readonly address: Address;
  readonly onUp: (identity: PeerIdentity) => void;
  /** Called once, and never from within a call. */
  readonly onEnd: (end: LaneEnd) => void;
}

/** Below it, copying the parts together costs less than handing the kernel each. */
const COPIED_BYTES_MAX = 2_048;
/** What a peer that is let go may still take. */
const LINGER_MS = 1_000;
/** Of signs of life that the peer does not read, no more wait. */
const PING_BYTES_MAX = 1_024;
const PING = bareFrame(FRAME_PING);

export class OutboundLane {
  readonly #init: OutboundLaneInit;
  readonly #context: TransportContext;
  readonly #bytesMax: number;
  readonly #socket: Socket;
  readonly #handshake: DialerHandshake;
  readonly #stream: HandshakeStream = new HandshakeStream();
  readonly #reader: FrameReader;
  readonly #uncork: () => void;
  #state: "connecting" | "challenge" | "answer" | "up" | "ended" = "connecting";
  #cancelDeadline: () => void;
  #isCorked = false;
  /** Ticks since the last sign of life. */
  #silentTicks = 0;

  constructor(init: OutboundLaneInit, context: TransportContext) {
    this.#init = init;
    this.#context = context;
    const { options, scheduler } = context;
    this.#bytesMax = init.lane === "control" ? options.controlBytesMax : options.bulkBytesMax;
    this.#handshake = new DialerHandshake(context.credentials, init.toNodeId);
    this.#reader = new FrameReader(0, context.memory, (kind) => {
      if (kind === FRAME_PONG) this.#silentTicks = 0;
      else this.#end({ kind: "invalid", code: "kind", message: "a frame that no acceptor sends" });
    });
    this.#uncork = () => {
      this.#isCorked = false;
      this.#socket.uncork();
    };
    this.#socket = this.#dial();
    this.#cancelDeadline = scheduler.after(options.connectMs, () => {
      this.#endOfTime("ETIMEDOUT", "no connection in time");
    });
  }

  get queuedBytes(): number {
    return this.#state === "up" ? this.#socket.writableLength : 0;
  }

  /** @throws RangeError if it is longer than a frame may be. */
  send(groupId: number, parts: readonly Uint8Array[]): boolean {
    if (this.#state !== "up") return false;
    let length = 0;
    for (const part of parts) length += part.byteLength;
    const { frameBytesMax } = this.#context.options;
    if (length > frameBytesMax)
      throw new RangeError(`a frame of ${length} bytes: more than ${frameBytesMax}`);
    const bytes = FRAME_HEADER_BYTES + length;
    const queued = this.#socket.writableLength;
    // One frame is taken whatever its size, or it never would be.
    if (queued > 0 && queued + bytes > this.#bytesMax) return false;
    this.#cork();
    this.#write(groupId, length, parts);
    return true;
  }

  /** Asks for a sign of life, and ends the lane if none has come for too long. */
  tick(): void {
    if (this.#state !== "up") return;
    const { pingMs, silenceMs } = this.#context.options;
    this.#silentTicks += 1;
    // In ticks, not in time: a process that slept itself has heard nothing, and accuses nobody.
    if (this.#silentTicks * pingMs >= silenceMs) {
      this.#end({ kind: "silent", code: "SILENCE", message: `nothing for ${silenceMs} ms` });
      return;
    }
    // What waits is answered as well as a ping; one that is not taken is not the first of many.
    if (this.#socket.writableLength <= PING_BYTES_MAX) this.#socket.write(PING);
  }

  /** Ends it without a word to the owner. */
  destroy(): void {
    this.#leave();
    this.#socket.destroy();
  }

  /** Lets the peer take what waits, for a moment. */
  finish(): void {
    if (this.#state !== "up") {
      this.destroy();
      return;
    }
    this.#leave();
    const cancel = this.#context.scheduler.after(LINGER_MS, () => {
      this.#socket.destroy();
    });
    this.#socket.once("close", cancel);
    this.#socket.destroySoon();
  }

  #dial(): Socket {
    const { tls } = this.#context.options;
    const { host, port } = this.#init.address;
    const socket =
      tls === undefined
        ? connectTcp({ host, port })
        : connectTls({
            host,
            port,
            key: tls.key,
            cert: tls.cert,
            ca: tls.ca,
            minVersion: "TLSv1.2",
            // By default the environment of the process could turn it off.
            rejectUnauthorized: true,
            ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
          });
    this.#context.sockets.add(socket);
    socket.on("connect", () => {
      this.#onConnect();
    });
    socket.on("data", (chunk: Buffer) => {
      this.#onData(chunk);
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#end(laneEndOf(error, this.#state === "connecting" ? "connecting" : "connected"));
    });
    const onClosed = (): void => {
      this.#end({ kind: "closed", code: "CLOSED", message: "the other end closed the connection" });
    };
    socket.on("end", onClosed);
    socket.on("close", onClosed);
    return socket;
  }

  #onConnect(): void {
    if (this.#state !== "connecting") return;
    this.#state = "challenge";
    this.#socket.setNoDelay(true);
    const { options, scheduler } = this.#context;
    this.#cancelDeadline();
    this.#cancelDeadline = scheduler.after(options.handshakeMs, () => {
      this.#endOfTime("HANDSHAKE_TIMEOUT", "no handshake in time");
    });
  }

  #onData(chunk: Buffer): void {
    if (this.#state === "up") this.#read(chunk);
    else if (this.#state !== "ended") this.#onHandshakeData(chunk);
  }

  #onHandshakeData(chunk: Buffer): void {
    try {
      if (!this.#stream.push(chunk)) throw new TransportError("PEER_HELLO", "too many bytes");
      if (this.#state === "challenge") this.#onChallenge();
      if (this.#state === "answer") this.#onAnswer();
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      this.#end({ kind: "refused", code: error.code, message: error.message });
    }
  }

  #onChallenge(): void {
    const challenge = this.#stream.take(CHALLENGE_BYTES);
    if (challenge === undefined) return;
    const groupIds = this.#context.groups.groupIds();
    const hello = this.#handshake.onChallenge(challenge, this.#init.lane, groupIds);
    this.#state = "answer";
    this.#socket.write(lengthPrefixed(hello));
  }

  #onAnswer(): void {
    const answer = this.#stream.takeMessage();
    if (answer === undefined) return;
    if (answer === "tooLong") throw new TransportError("PEER_HELLO", "an answer that is too long");
    const identity = this.#handshake.onAnswer(answer);
    this.#state = "up";
    this.#cancelDeadline();
    this.#init.onUp(identity);
    this.#read(this.#stream.takeRest());
  }

  #read(chunk: Buffer): void {
    const problem = this.#reader.push(chunk);
    if (problem === undefined) return;
    this.#end({ kind: "invalid", code: problem, message: "a frame that cannot be read" });
  }

  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#socket.cork();
    process.nextTick(this.#uncork);
  }

  #write(groupId: number, length: number, parts: readonly Uint8Array[]): void {
    const { counters } = this.#context;
    counters.framesOut += 1;
    counters.bytesOut += FRAME_HEADER_BYTES + length;
    const isCopied = length <= COPIED_BYTES_MAX;
    const head = Buffer.allocUnsafe(FRAME_HEADER_BYTES + (isCopied ? length : 0));
    writeFrameHeader(head, { length, groupId, kind: FRAME_DATA });
    let at = FRAME_HEADER_BYTES;
    if (isCopied)
      for (const part of parts) {
        head.set(part, at);
        at += part.byteLength;
      }
    if (isCopied) this.#socket.write(head);
    else this.#writeParts([head, ...parts]);
  }

  /** The kernel reads them when it can: until then their memory is held. */
  #writeParts(parts: readonly Uint8Array[]): void {
    for (const part of parts) holdBytes(part);
    const release = (): void => {
      for (const part of parts) releaseBytes(part);
    };
    const last = parts.length - 1;
    for (const [at, part] of parts.entries())
      this.#socket.write(part, at === last ? release : undefined);
  }

  #endOfTime(code: string, message: string): void {
    this.#end({ kind: "unreachable", code, message });
  }

  #end(end: LaneEnd): void {
    if (this.#state === "ended") return;
    this.destroy();
    this.#init.onEnd(end);
  }

  #leave(): void {
    this.#state = "ended";
    this.#cancelDeadline();
    this.#reader.stop();
  }
}
