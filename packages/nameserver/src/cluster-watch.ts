/**
 * Keeps the newest that any of several NameServers says of a cluster.
 *
 * One of them is watched, and pushes; when it ends or says nothing, the next one is. Now and then
 * another one is asked, in case brokers do not reach the one that is watched any more. When all are
 * gone, the last cluster stays.
 */

import {
  type ChannelTls,
  fromGrpcFailure,
  NAME_SERVER_SERVICE,
  OperationError,
  RpcChannel,
} from "@quorumlog/protocol";
import type { Cluster as ClusterMessage } from "@quorumlog/protocol/messages";
import type { Scheduler } from "@quorumlog/transport";
import { checkAddresses } from "./broker-registration.ts";
import type { Cluster } from "./cluster.ts";
import { checkedCluster } from "./message-check.ts";
import { newerCluster, type ToldBy } from "./newer-cluster.ts";
import { processScheduler } from "./process-scheduler.ts";
import { type ReconnectBounds, reconnectDelayMs } from "./reconnect-delay.ts";

export interface ClusterWatchOptions extends ReconnectBounds {
  /** Each as `host:port`; one or more. */
  readonly nameServers: readonly string[];
  readonly tls?: ChannelTls;
  /** Default: the only one that the NameServers serve. */
  readonly clusterId?: string;
  /** Just these; default: all. */
  readonly topics?: readonly string[];
  /** Between questions to a NameServer that is not watched, in milliseconds; default 30000. */
  readonly pollMs?: number;
  /** Without a first answer for so long, the next NameServer is watched; default 2000. */
  readonly answerMs?: number;
  /** Each time there is a newer one. */
  readonly onCluster?: (cluster: Cluster) => void;
  readonly onEvent?: (event: ClusterWatchEvent) => void;
  /** Default: the process's own time. */
  readonly scheduler?: Scheduler;
}

export type ClusterWatchEvent =
  | { readonly type: "nameServerUp"; readonly nameServer: string }
  | {
      readonly type: "nameServerDown";
      readonly nameServer: string;
      readonly error: OperationError;
    };

interface Stream {
  readonly nameServer: string;
  readonly end: () => void;
  /** `undefined`: it has said nothing yet. */
  upAtMs: number | undefined;
}

const POLL_MS = 30_000;
const ANSWER_MS = 2_000;
/** A watch that has lived so long was no failure: the next one is tried at once. */
const STEADY_MS = 1_000;
const LIMITS = { topicCountMax: 1_000_000, configurationCountMax: 1_000_000 };

export class ClusterWatch implements AsyncDisposable {
  readonly #options: ClusterWatchOptions;
  readonly #scheduler: Scheduler;
  readonly #closing = new AbortController();
  #cluster: Cluster | undefined;
  #stream: Stream | undefined;
  /** Which one is watched; it grows, and wraps around the list. */
  #turn = Math.floor(Math.random() * 1_000);
  /** How often NameServers were asked: which one is asked first. */
  #asked = this.#turn;
  #failureCount = 0;
  #cancelConnect: () => void = () => undefined;
  #cancelPoll: () => void = () => undefined;
  #refreshing: Promise<Cluster> | undefined;
  readonly #waiting = new Set<(cluster: Cluster) => void>();

  /**
   * Begins at once, and does not wait.
   *
   * @throws OperationError `INVALID_ARGUMENT` if an address is none, or there is none
   */
  constructor(options: ClusterWatchOptions) {
    checkAddresses(options.nameServers);
    if (options.nameServers.length === 0)
      throw new OperationError("INVALID_ARGUMENT", "nameServers: one or more are required");
    this.#options = options;
    this.#scheduler = options.scheduler ?? processScheduler;
    this.#connect();
    this.#pollLater();
  }

  /** `undefined`: no NameServer has answered yet. */
  get cluster(): Cluster | undefined {
    return this.#cluster;
  }

  /**
   * The cluster as it is known, once it is.
   *
   * @throws OperationError `CLOSED`; `signal.reason` if it aborts
   */
  ready(signal?: AbortSignal): Promise<Cluster> {
    signal?.throwIfAborted();
    if (this.#cluster !== undefined) return Promise.resolve(this.#cluster);
    return new Promise((resolve, reject) => {
      const over = new AbortController();
      const settle = (): void => {
        this.#waiting.delete(onCluster);
        over.abort();
      };
      const onCluster = (cluster: Cluster): void => {
        settle();
        resolve(cluster);
      };
      const rejectBy = (by: AbortSignal): void => {
        const onAbort = (): void => {
          settle();
          reject(by.reason as Error);
        };
        if (by.aborted) onAbort();
        else by.addEventListener("abort", onAbort, { once: true, signal: over.signal });
      };
      this.#waiting.add(onCluster);
      rejectBy(this.#closing.signal);
      if (signal !== undefined) rejectBy(signal);
    });
  }

  /**
   * Asks now: for whoever has found that the cluster is not as it is known. Calls at a time share
   * one question.
   *
   * @throws OperationError of the last NameServer, if none has answered
   */
  refresh(): Promise<Cluster> {
    this.#refreshing ??= this.#ask().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /** The last cluster stays. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort(new OperationError("CLOSED", "the watch was closed"));
    this.#cancelConnect();
    this.#cancelPoll();
    this.#stream?.end();
    this.#stream = undefined;
    await this.#refreshing?.catch(() => {
      // Whoever has asked is told.
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #connect(): void {
    const nameServer = this.#nameServer(this.#turn);
    const channel = this.#channel(nameServer);
    const call = channel.serverStream(NAME_SERVER_SERVICE.watchCluster, this.#request());
    const cancelAnswer = this.#scheduler.after(this.#options.answerMs ?? ANSWER_MS, () => {
      this.#onDown(stream, new OperationError("TIMEOUT", `${nameServer} does not answer`));
    });
    const end = (): void => {
      cancelAnswer();
      call.cancel();
      channel.close();
    };
    const stream: Stream = { nameServer, end, upAtMs: undefined };
    this.#stream = stream;
    call.on("data", (message: ClusterMessage) => {
      cancelAnswer();
      this.#onPushed(stream, message);
    });
    call.on("error", (error) => {
      this.#onDown(stream, fromGrpcFailure(error));
    });
    call.on("end", () => {
      // Without a word: one that has failed says why, after this.
      setImmediate(() => {
        this.#onDown(stream, new OperationError("CLOSED", `${nameServer} has ended the watch`));
      });
    });
  }

  #onPushed(stream: Stream, message: ClusterMessage): void {
    if (stream !== this.#stream) return;
    try {
      this.#take(checkedCluster(message, LIMITS), { isPushed: true });
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      this.#onDown(stream, error);
      return;
    }
    if (stream.upAtMs !== undefined || stream !== this.#stream) return;
    stream.upAtMs = this.#scheduler.now();
    this.#options.onEvent?.({ type: "nameServerUp", nameServer: stream.nameServer });
  }

  #onDown(stream: Stream, error: OperationError): void {
    if (stream !== this.#stream) return;
    stream.end();
    this.#stream = undefined;
    this.#turn += 1;
    const { upAtMs } = stream;
    const isSteady = upAtMs !== undefined && this.#scheduler.now() - upAtMs >= STEADY_MS;
    this.#failureCount = isSteady ? 1 : this.#failureCount + 1;
    // The others are tried at once; then there is a pause.
    const isRoundOver = this.#failureCount % this.#options.nameServers.length === 0;
    const delayMs = isRoundOver ? reconnectDelayMs(this.#options) : 0;
    this.#cancelConnect = this.#scheduler.after(delayMs, () => {
      this.#connect();
    });
    if (upAtMs !== undefined || this.#failureCount <= this.#options.nameServers.length)
      this.#options.onEvent?.({ type: "nameServerDown", nameServer: stream.nameServer, error });
  }

  #pollLater(): void {
    this.#cancelPoll = this.#scheduler.after(this.#options.pollMs ?? POLL_MS, () => {
      const isAlone = this.#options.nameServers.length === 1 && this.#stream?.upAtMs !== undefined;
      if (!isAlone)
        this.refresh().catch(() => {
          // Those that are down are told of by the watch.
        });
      this.#pollLater();
    });
  }

  /** All of them, beginning with another one each time, until one answers. */
  async #ask(): Promise<Cluster> {
    let failure: unknown;
    this.#asked += 1;
    const first = this.#asked;
    for (let i = 0; i < this.#options.nameServers.length; i += 1) {
      const channel = this.#channel(this.#nameServer(first + i));
      try {
        const { signal } = this.#closing;
        const timeoutMs = this.#options.answerMs ?? ANSWER_MS;
        const { getCluster } = NAME_SERVER_SERVICE;
        const message = await channel.call(getCluster, this.#request(), { signal, timeoutMs });
        const told = checkedCluster(message, LIMITS);
        return this.#take(told, { isPushed: this.#stream?.upAtMs === undefined });
      } catch (error) {
        if (!(error instanceof OperationError)) throw error;
        failure = error;
      } finally {
        channel.close();
      }
    }
    throw failure as OperationError;
  }

  /** @throws OperationError `INVALID_ARGUMENT` of another cluster than before */
  #take(told: Cluster, toldBy: ToldBy): Cluster {
    const known = this.#cluster;
    if (known !== undefined && told.clusterId !== known.clusterId) {
      const which = `${told.clusterId}, not ${known.clusterId}`;
      throw new OperationError("INVALID_ARGUMENT", `the NameServer tells of cluster ${which}`);
    }
    const cluster = newerCluster(known, told, toldBy);
    if (cluster === known || this.#closing.signal.aborted) return cluster;
    this.#cluster = cluster;
    for (const onCluster of this.#waiting) onCluster(cluster);
    this.#options.onCluster?.(cluster);
    return cluster;
  }

  #request(): { clusterId: string; topics: string[] } {
    const { clusterId = "", topics = [] } = this.#options;
    // Which one it is is known by now, also where another one is served beside it meanwhile.
    return { clusterId: this.#cluster?.clusterId ?? clusterId, topics: [...topics] };
  }

  #nameServer(turn: number): string {
    const { nameServers } = this.#options;
    return nameServers[turn % nameServers.length] as string;
  }

  #channel(address: string): RpcChannel {
    const { tls } = this.#options;
    return new RpcChannel({ address, ...(tls === undefined ? {} : { tls }) });
  }
}
