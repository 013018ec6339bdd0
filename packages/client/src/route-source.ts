/**
 * Keeps the newest route: what NameServers push, and what brokers say of their leaders, which may
 * be newer. While all NameServers are lost, the last route stays.
 */

import { ClusterWatch } from "@quorumlog/nameserver";
import { type ChannelTls, type LeaderHint, OperationError } from "@quorumlog/protocol";
import { ClusterRoute } from "./cluster-route.ts";
import { Bell, demandNotAborted, type WaitOptions } from "./waiting.ts";

export interface RouteSourceOptions {
  /** As `host:port`, in the order in which they are asked. */
  readonly nameServers: readonly string[];
  readonly clusterId: string;
  readonly tls: ChannelTls | undefined;
}

/** Between two looks at all NameServers, while none answers; and up to half a second. */
const RETRY_MS_MIN = 50;

export class RouteSource {
  readonly #options: RouteSourceOptions;
  readonly #listeners = new Set<() => void>();
  readonly #news = new Bell();
  #route = ClusterRoute.empty;
  #lastProblem: OperationError | undefined;
  #isAnswered = false;
  #onTrouble: (error: OperationError | undefined) => void = () => undefined;
  #watch: ClusterWatch | undefined;
  #isClosed = false;

  constructor(options: RouteSourceOptions) {
    this.#options = options;
  }

  get route(): ClusterRoute {
    return this.#route;
  }

  /** A NameServer answers, whatever it knows. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** Begins to watch; idempotent. @throws OperationError `INVALID_ARGUMENT` */
  start(): void {
    const { nameServers, clusterId, tls } = this.#options;
    this.#watch ??= new ClusterWatch({
      nameServers,
      ...(clusterId === "" ? {} : { clusterId }),
      ...(tls === undefined ? {} : { tls }),
      reconnectMsMin: RETRY_MS_MIN,
      onCluster: (cluster) => {
        this.#become(this.#route.merged(cluster));
      },
      onEvent: (event) => {
        this.#isAnswered = event.type === "nameServerUp";
        this.#lastProblem = event.type === "nameServerDown" ? event.error : undefined;
        this.#onTrouble(this.#lastProblem);
      },
    });
  }

  /** Told that no NameServer is heard of, and, by `undefined`, that one is. One at a time. */
  set onTrouble(listener: (error: OperationError | undefined) => void) {
    this.#onTrouble = listener;
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
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      demandNotAborted(signal);
      if (this.#isClosed) throw new OperationError("CLOSED", "the client is closed");
      const found = look(this.#route);
      if (found !== undefined) return found;
      const left = deadline - performance.now();
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
    this.#isClosed = true;
    this.#news.ring();
    this.#listeners.clear();
    await this.#watch?.close();
  }

  #become(route: ClusterRoute): void {
    if (route === this.#route || this.#isClosed) return;
    this.#route = route;
    this.#news.ring();
    for (const listener of this.#listeners) listener();
  }
}
