/**
 * Follows the routes that a NameServer pushes: one of them at a time, the next one when it is lost.
 * While all are lost, the last route stays.
 */

import {
  type ChannelTls,
  fromGrpcFailure,
  type LeaderHint,
  NAME_SERVER_SERVICE,
  OperationError,
  RpcChannel,
} from "@quorumlog/protocol";
import { ClusterRoute } from "./cluster-route.ts";
import { Bell, demandNotAborted, type WaitOptions } from "./waiting.ts";

export interface RouteSourceOptions {
  /** As `host:port`, in the order in which they are asked. */
  readonly nameServers: readonly string[];
  readonly clusterId: string;
  readonly tls: ChannelTls | undefined;
}

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 1_000;
/** A NameServer that has said nothing at all for so long is passed over. */
const FIRST_WORD_MS = 2_000;

export class RouteSource {
  readonly #options: RouteSourceOptions;
  readonly #listeners = new Set<() => void>();
  readonly #news = new Bell();
  readonly #stop = new AbortController();
  #route = ClusterRoute.empty;
  #lastProblem: OperationError | undefined;
  #watching: Promise<void> | undefined;

  constructor(options: RouteSourceOptions) {
    this.#options = options;
  }

  get route(): ClusterRoute {
    return this.#route;
  }

  /** Begins to watch; idempotent. */
  start(): void {
    this.#watching ??= this.#watch();
  }

  /** What a broker has said of its group's leader. */
  learnLeader(hint: LeaderHint): void {
    this.#become(this.#route.withLeader(hint));
  }

  /** @returns what ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /**
   * @returns what `look` gives first that is not `undefined`.
   * @throws OperationError `TIMEOUT` that says `why`, not applied; `ABORTED`
   */
  async until<T>(
    look: (route: ClusterRoute) => T | undefined,
    options: Required<Pick<WaitOptions, "timeoutMs">> & WaitOptions & { readonly why: string },
  ): Promise<T> {
    const { signal, timeoutMs, why } = options;
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      demandNotAborted(signal);
      if (this.#stop.signal.aborted) throw new OperationError("CLOSED", "the client is closed");
      const found = look(this.#route);
      if (found !== undefined) return found;
      const left = deadline - Date.now();
      if (left <= 0)
        throw new OperationError("TIMEOUT", why, {
          outcome: "not-applied",
          cause: this.#lastProblem,
        });
      await this.#news.wait(left, signal);
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#news.ring();
    this.#listeners.clear();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    const { nameServers } = this.#options;
    let retryMs = RETRY_MS_MIN;
    for (let turn = 0; !this.#stop.signal.aborted; turn++) {
      const address = nameServers[turn % nameServers.length] as string;
      if (await this.#watchOne(address)) retryMs = RETRY_MS_MIN;
      // One that is down costs no time while there is another one to ask.
      if ((turn + 1) % nameServers.length === 0) {
        await this.#pause(retryMs);
        retryMs = Math.min(2 * retryMs, RETRY_MS_MAX);
      }
    }
  }

  /** @returns whether it has said anything, once it says no more. */
  #watchOne(address: string): Promise<boolean> {
    const { clusterId, tls } = this.#options;
    const channel = new RpcChannel({ address, ...(tls === undefined ? {} : { tls }) });
    const request = { clusterId, topics: [] };
    const stream = channel.serverStream(NAME_SERVER_SERVICE.watchCluster, request);
    return new Promise((resolve) => {
      let hasSpoken = false;
      let isOver = false;
      const end = (): void => {
        if (isOver) return;
        isOver = true;
        clearTimeout(patience);
        this.#stop.signal.removeEventListener("abort", end);
        stream.removeAllListeners("data");
        stream.cancel();
        channel.close();
        resolve(hasSpoken);
      };
      const patience = setTimeout(end, FIRST_WORD_MS);
      this.#stop.signal.addEventListener("abort", end, { once: true });
      stream.on("data", (cluster) => {
        hasSpoken = true;
        clearTimeout(patience);
        this.#become(this.#route.merged(cluster));
      });
      stream.on("error", (error) => {
        // Also of a stream that was cancelled here, which is over by then.
        if (!isOver) this.#lastProblem = fromGrpcFailure(error);
        end();
      });
      stream.on("end", end);
    });
  }

  #become(route: ClusterRoute): void {
    if (route === this.#route) return;
    this.#route = route;
    this.#news.ring();
    for (const listener of this.#listeners) listener();
  }

  async #pause(ms: number): Promise<void> {
    if (this.#stop.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#stop.signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#stop.signal.addEventListener("abort", end, { once: true });
    });
  }
}
