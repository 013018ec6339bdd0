/**
 * Says where the brokers of a cluster are. It keeps nothing on a disk, and knows no other
 * NameServer: what it says, brokers have told it, and tell it again when it comes back empty.
 */

import {
  type CallContext,
  MetricsPort,
  NAME_SERVER_SERVICE,
  OperationError,
  RpcServer,
  type RpcTls,
  topicNameProblem,
} from "@quorumlog/protocol";
import type { Cluster as ClusterMessage, GetClusterRequest } from "@quorumlog/protocol/messages";
import type { Scheduler } from "@quorumlog/transport";
import type { Registration } from "./cluster.ts";
import { ClusterDirectory } from "./cluster-directory.ts";
import { clusterMessage, encodingOnce, ofTopics } from "./cluster-message.ts";
import { ClusterWatcher, type WatchCall } from "./cluster-watcher.ts";
import type { NameServerEvent, NameServerListener } from "./name-server-event.ts";
import { nameServerMetrics } from "./name-server-metrics.ts";
import {
  limitsOf,
  type NameServerLimits,
  type NameServerOptions,
  type NameServerSurroundings,
} from "./name-server-options.ts";
import { processScheduler } from "./process-scheduler.ts";
import type { ServedCluster } from "./served-cluster.ts";
import { type RegisterCall, RegistrarStream } from "./registrar-stream.ts";

const WATCHED_TOPICS_MAX = 1_000;
/** For the first word of a stream. */
const STRANGER_MS = 10_000;

export class NameServer implements AsyncDisposable {
  readonly #listen: string;
  readonly #limits: NameServerLimits;
  readonly #scheduler: Scheduler;
  readonly #onEvent: NameServerListener;
  readonly #onDefect: (error: unknown) => void;
  readonly #directory: ClusterDirectory;
  readonly #server: RpcServer;
  /** When each stream that has not said yet whose it is was opened. */
  readonly #strangers = new Map<RegistrarStream, number>();
  readonly #streams = new Set<RegistrarStream>();
  readonly #watchers = new Set<ClusterWatcher>();
  #metrics: MetricsPort | undefined;
  #refusedCount = 0;
  #cancelScan: () => void = () => undefined;
  #isClosing = false;

  private constructor(options: NameServerOptions, surroundings: NameServerSurroundings) {
    this.#limits = limitsOf(options, surroundings);
    this.#listen = options.listen;
    this.#scheduler = surroundings.scheduler ?? processScheduler;
    this.#onDefect = surroundings.onDefect ?? throwLater;
    const tell = guarded(surroundings.onEvent, this.#onDefect);
    this.#onEvent = (event) => {
      if (event.type === "refused") this.#refusedCount += 1;
      tell(event);
    };
    this.#directory = new ClusterDirectory({
      clusterId: options.clusterId,
      clusterCountMax: this.#limits.clusterCountMax,
      onEvent: this.#onEvent,
    });
    this.#server = new RpcServer({
      listen: options.listen,
      ...(options.tls === undefined ? {} : { tls: options.tls }),
      messageBytesMax: this.#limits.messageBytesMax,
      onDefect: this.#onDefect,
    });
    this.#server.handle<typeof NAME_SERVER_SERVICE>(encodingOnce(), {
      register: {
        duplex: (call) => {
          this.#onRegister(call);
        },
      },
      watchCluster: {
        serverStream: (call) => {
          this.#onWatch(call);
        },
      },
      getCluster: { unary: (request, context) => this.#onGet(request, context) },
    });
  }

  /** @throws OperationError `INVALID_ARGUMENT` with all that does not fit, `LISTEN_FAILED` */
  static async open(
    options: NameServerOptions,
    surroundings: NameServerSurroundings = {},
  ): Promise<NameServer> {
    const server = new NameServer(options, surroundings);
    await server.#server.open();
    try {
      const { metrics, metricsTls } = options;
      if (metrics !== undefined) server.#metrics = await server.#openMetrics(metrics, metricsTls);
    } catch (error) {
      await server.#server.close();
      throw error;
    }
    server.#scanLater();
    return server;
  }

  get port(): number {
    return this.#server.port;
  }

  /** Where figures are told, if they are. */
  get metricsPort(): number | undefined {
    return this.#metrics?.port;
  }

  /** Where it listens, as `host:port`. */
  get address(): string {
    return `${this.#listen.slice(0, this.#listen.lastIndexOf(":"))}:${this.port}`;
  }

  /** Ends all streams, so that everybody goes to another NameServer at once. Idempotent. */
  async close(): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      this.#cancelScan();
      const error = new OperationError("CLOSED", "this NameServer stops");
      for (const stream of this.#streams) stream.end(error);
      for (const watcher of this.#watchers) watcher.end(error);
    }
    await this.#server.close();
    await this.#metrics?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #openMetrics(listen: string, tls: RpcTls | undefined): Promise<MetricsPort> {
    const clusters = (): ServedCluster[] => [...this.#directory.clusters];
    return MetricsPort.open({
      listen,
      tls,
      metrics: nameServerMetrics({
        clusters,
        registrationCount: () => this.#streams.size,
        watcherCount: () => this.#watchers.size,
        refusedCount: () => this.#refusedCount,
        port: this.#server,
      }),
      illness: () => undefined,
      unreadiness: () => (clusters().length === 0 ? "no node has registered here yet" : undefined),
      onDefect: this.#onDefect,
    });
  }

  #onRegister(call: RegisterCall): void {
    const { registrationCountMax: max } = this.#limits;
    this.#refuseIf(call, this.#streams.size >= max, `${max} nodes register here already`);
    const stream = new RegistrarStream(call, this.#limits, {
      take: (registration, from) => this.#take(registration, from),
      onEnd: (from, error) => {
        this.#onRegistrarEnd(from, error);
      },
      onDefect: this.#onDefect,
    });
    this.#streams.add(stream);
    this.#strangers.set(stream, this.#scheduler.now());
  }

  #take(registration: Registration, stream: RegistrarStream): number {
    const cluster = this.#directory.ofBroker(registration.clusterId);
    cluster.register(registration, stream, this.#scheduler.now());
    this.#strangers.delete(stream);
    return cluster.table.metadataVersion;
  }

  #onRegistrarEnd(stream: RegistrarStream, error: OperationError | undefined): void {
    this.#streams.delete(stream);
    this.#strangers.delete(stream);
    if (error !== undefined && !this.#isClosing)
      this.#onEvent({ type: "refused", peer: stream.peer, error });
    const { node } = stream;
    if (node !== undefined) this.#directory.find(node.clusterId)?.leave(node.nodeId, stream);
  }

  #onWatch(call: WatchCall): void {
    const { watcherCountMax: max } = this.#limits;
    this.#refuseIf(call, this.#watchers.size >= max, `${max} clients watch here already`);
    const { clusterId, topics } = call.request;
    const cluster = this.#found(call.getPeer(), () => this.#directory.ofClient(clusterId));
    const watcher = new ClusterWatcher(
      call,
      this.#found(call.getPeer(), () => topicsOf(topics)),
    );
    this.#watchers.add(watcher);
    for (const event of ["cancelled", "error", "close"])
      call.on(event, () => {
        this.#watchers.delete(watcher);
        cluster.unwatch(watcher);
      });
    cluster.watch(watcher);
  }

  #onGet(request: GetClusterRequest, { peer }: CallContext): ClusterMessage.$Properties {
    return this.#found(peer, () => {
      const { table } = this.#directory.ofClient(request.clusterId);
      return clusterMessage(ofTopics(table.cluster(), topicsOf(request.topics)));
    });
  }

  /** @throws OperationError `TOO_MANY` */
  #refuseIf(call: { getPeer(): string }, isRefused: boolean, why: string): void {
    if (this.#isClosing) throw new OperationError("CLOSED", "this NameServer stops");
    if (!isRefused) return;
    this.#found(call.getPeer(), () => {
      throw new OperationError("TOO_MANY", why);
    });
  }

  /** Tells of what is refused; not of those who are early, which come again and again. */
  #found<T>(peer: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof OperationError && error.code !== "NOT_READY")
        this.#onEvent({ type: "refused", peer, error });
      throw error;
    }
  }

  #scanLater(): void {
    this.#cancelScan = this.#scheduler.after(this.#limits.scanMs, () => {
      this.#scan();
      this.#scanLater();
    });
  }

  #scan(): void {
    const nowMs = this.#scheduler.now();
    for (const cluster of this.#directory.clusters) cluster.expire(nowMs - this.#limits.expiryMs);
    this.#directory.forgetUnused();
    for (const [stream, openedMs] of this.#strangers)
      if (openedMs < nowMs - STRANGER_MS)
        stream.end(new OperationError("TIMEOUT", "nobody has registered in this stream"));
  }
}

function topicsOf(names: readonly string[] | null | undefined): ReadonlySet<string> {
  const topics = names ?? [];
  const field = "topics";
  const fail = (problem: string): never => {
    const problems = [{ field, problem }];
    throw new OperationError("INVALID_ARGUMENT", `${field}: ${problem}`, { problems });
  };
  if (topics.length > WATCHED_TOPICS_MAX)
    return fail(`${topics.length} are more than ${WATCHED_TOPICS_MAX}`);
  const problem = topics.map(topicNameProblem).find((found) => found !== undefined);
  return problem === undefined ? new Set(topics) : fail(problem);
}

/** A listener that throws is a bug of its owner, and no reason to leave work half done. */
function guarded(
  listener: NameServerListener | undefined,
  onDefect: (error: unknown) => void,
): NameServerListener {
  return (event: NameServerEvent) => {
    try {
      listener?.(event);
    } catch (error) {
      onDefect(error);
    }
  };
}

function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
