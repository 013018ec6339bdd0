/**
 * A broker's node and one NameServer: a stream on which the node tells of itself, made anew
 * whenever it ends.
 *
 * The first message of a stream is whole: the NameServer may have come back with nothing. Metadata
 * that it has, or newer ones, are left out of those that follow.
 */

import {
  type ChannelTls,
  type ClientDuplexStream,
  fromGrpcFailure,
  NAME_SERVER_SERVICE,
  OperationError,
  RpcChannel,
} from "@quorumlog/protocol";
import type {
  Registration as RegistrationMessage,
  RegistrationReply,
} from "@quorumlog/protocol/messages";
import type { Scheduler } from "@quorumlog/transport";
import type { Registration } from "./cluster.ts";
import { registrationMessage } from "./cluster-message.ts";
import { NewestWriter } from "./newest-writer.ts";
import { type ReconnectBounds, reconnectDelayMs } from "./reconnect-delay.ts";

export interface RegistrationLinkOptions extends ReconnectBounds {
  /** As `host:port`. */
  readonly nameServer: string;
  readonly tls: ChannelTls | undefined;
  readonly heartbeatMs: number;
  /** For the first word of the NameServer. */
  readonly answerMs: number;
  readonly scheduler: Scheduler;
  /** The NameServer has taken the registration in. */
  readonly onUp: () => void;
  /** It has not, or does no more: told once until it is up again, or says something else. */
  readonly onDown: (error: OperationError) => void;
}

type Call = ClientDuplexStream<RegistrationMessage.$Properties, RegistrationReply>;

interface Stream {
  readonly channel: RpcChannel;
  readonly call: Call;
  readonly writer: NewestWriter<Registration, RegistrationMessage.$Properties>;
  /** -1: it has not said yet. */
  metadataVersion: number;
}

/** Who was refused for good asks less often: what has to change is not here. */
const REFUSED_RETRY_MS = 5_000;
const FAREWELL_MS = 200;

export class RegistrationLink {
  readonly #options: RegistrationLinkOptions;
  #registration: Registration;
  #stream: Stream | undefined;
  #cancelHeartbeat: () => void = () => undefined;
  #cancelConnect: () => void = () => undefined;
  #cancelAnswer: () => void = () => undefined;
  #isUp = false;
  #toldCode: string | undefined;
  #isClosed = false;

  constructor(options: RegistrationLinkOptions, registration: Registration) {
    this.#options = options;
    this.#registration = registration;
    this.#connect();
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** At once, if the NameServer is there; when it is, otherwise. */
  tell(registration: Registration): void {
    this.#registration = registration;
    this.#stream?.writer.write(registration);
  }

  /** Takes the node off the routes, if the NameServer is there to hear of it. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelConnect();
    this.#cancelAnswer();
    this.#cancelHeartbeat();
    const stream = this.#stream;
    if (stream === undefined) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.scheduler.after(FAREWELL_MS, resolve);
      stream.call.on("status", () => {
        cancel();
        resolve();
      });
      stream.call.end();
    });
    this.#letGo(stream);
  }

  #connect(): void {
    const { nameServer, tls } = this.#options;
    // A new channel each time: one that has failed waits longer and longer before it tries again.
    const channel = new RpcChannel({ address: nameServer, ...(tls === undefined ? {} : { tls }) });
    const call = channel.duplex(NAME_SERVER_SERVICE.register);
    const writer = new NewestWriter(call, (registration: Registration) =>
      this.#messageOf(registration),
    );
    const stream: Stream = { channel, call, writer, metadataVersion: -1 };
    this.#stream = stream;
    call.on("data", (reply: RegistrationReply) => {
      this.#onReply(stream, reply);
    });
    call.on("error", (error) => {
      this.#onDown(stream, fromGrpcFailure(error));
    });
    call.on("end", () => {
      // Without a word: one that has failed says why, after this.
      setImmediate(() => {
        this.#onDown(stream, new OperationError("CLOSED", `${nameServer} has ended the stream`));
      });
    });
    writer.write(this.#registration);
    // A host that is gone refuses nothing: a connection that is on its way to it would try seldomer
    // and seldomer, and miss that it is back.
    this.#cancelAnswer = this.#options.scheduler.after(this.#options.answerMs, () => {
      this.#onDown(stream, new OperationError("TIMEOUT", `${nameServer} does not answer`));
    });
    this.#heartbeatLater();
  }

  #messageOf(registration: Registration): RegistrationMessage.$Properties {
    const known = this.#stream?.metadataVersion ?? -1;
    const { metadata } = registration;
    const isKnown = metadata !== undefined && metadata.version <= known;
    return registrationMessage(isKnown ? { ...registration, metadata: undefined } : registration);
  }

  #onReply(stream: Stream, { metadataVersion }: RegistrationReply): void {
    if (stream !== this.#stream) return;
    this.#cancelAnswer();
    stream.metadataVersion = metadataVersion;
    if (this.#isUp || this.#isClosed) return;
    this.#isUp = true;
    this.#toldCode = undefined;
    this.#options.onUp();
  }

  #onDown(stream: Stream, error: OperationError): void {
    if (stream !== this.#stream || this.#isClosed) return;
    this.#letGo(stream);
    this.#stream = undefined;
    this.#isUp = false;
    this.#cancelAnswer();
    this.#cancelHeartbeat();
    const isRefused = error.advice === "do-not-retry" && error.outcome === "not-applied";
    const delayMs = isRefused ? REFUSED_RETRY_MS : reconnectDelayMs(this.#options);
    this.#cancelConnect = this.#options.scheduler.after(delayMs, () => {
      this.#connect();
    });
    if (error.code === this.#toldCode) return;
    this.#toldCode = error.code;
    this.#options.onDown(error);
  }

  #heartbeatLater(): void {
    const { scheduler, heartbeatMs } = this.#options;
    this.#cancelHeartbeat = scheduler.after(heartbeatMs, () => {
      const { writer } = this.#stream ?? {};
      // What is on its way says as much.
      if (writer?.isIdle === true)
        writer.write({ ...this.#registration, group: undefined, metadata: undefined });
      this.#heartbeatLater();
    });
  }

  #letGo({ call, channel }: Stream): void {
    call.cancel();
    channel.close();
  }
}
