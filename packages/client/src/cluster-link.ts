/**
 * What producers, consumers and admins stand on: routes, a channel to each broker, calls to
 * leaders.
 */

import {
  type ChannelTls,
  type Method,
  OperationError,
  type OperationOutcome,
  RpcChannel,
} from "@quorumlog/protocol";
import { LeaderSeeker } from "./leader-seeker.ts";
import { addresses, anyText, type Check, integerIn, object } from "./option-problems.ts";
import { RouteSource } from "./route-source.ts";
import { streamFailure } from "./stream-failure.ts";
import { asUnknown } from "./unknown-outcome.ts";
import {
  CALL_TIMEOUT_MS,
  demandNotAborted,
  eitherSignal,
  pause,
  type WaitOptions,
} from "./waiting.ts";

/** How to find a cluster. */
export interface ClusterOptions {
  /** As `host:port`: one that answers is enough. */
  readonly nameServers: readonly string[];
  /** Default: the one that the NameServers serve, if it is just one. */
  readonly clusterId?: string;
  /** For every port of the cluster; default: without TLS. */
  readonly tls?: ChannelTls;
  /** How long to look for a NameServer that answers, in milliseconds; default 10000. */
  readonly connectTimeoutMs?: number;
}

/** Whom to ask, and how. */
export interface LeaderTarget extends WaitOptions {
  readonly seeker: LeaderSeeker;
  /** It may be done twice; or it is not asked again once its outcome is unknown. */
  readonly isRepeatable: boolean;
  /** It takes its time: a node that says nothing for seconds is not given up. */
  readonly isLong?: boolean;
  /** Of several calls that share `timeoutMs`, as `performance.now` says; default: it begins now. */
  readonly deadline?: number;
}

interface LeaderCall extends LeaderTarget {
  readonly signal: AbortSignal;
  /** An attempt may have been done that was not answered. */
  isUncertain: boolean;
}

export const CLUSTER_CHECKS: { readonly [K in keyof Required<ClusterOptions>]: Check } = {
  nameServers: addresses,
  clusterId: anyText,
  tls: object,
  connectTimeoutMs: integerIn(1, 600_000),
};

const CONNECT_TIMEOUT_MS = 10_000;
/** A node that is asked and says nothing is left for the next one. */
const ATTEMPT_MS_MAX = 3_000;
const BACKOFF_MS_MIN = 5;
const BACKOFF_MS_MAX = 100;

export class ClusterLink {
  readonly routes: RouteSource;
  readonly #options: ClusterOptions;
  readonly #channels = new Map<string, RpcChannel>();
  readonly #closing = new AbortController();

  private constructor(options: ClusterOptions) {
    this.#options = options;
    const { nameServers, clusterId = "", tls } = options;
    this.routes = new RouteSource({ nameServers: [...nameServers], clusterId, tls });
  }

  /** @throws OperationError `TIMEOUT` if no NameServer has told of a broker in time; `ABORTED` */
  static async open(options: ClusterOptions, signal?: AbortSignal): Promise<ClusterLink> {
    demandNotAborted(signal);
    const link = new ClusterLink(options);
    const { connectTimeoutMs: timeoutMs = CONNECT_TIMEOUT_MS } = options;
    link.routes.start();
    const why = `no NameServer of ${options.nameServers.join(", ")} has told of a broker`;
    const wait = { timeoutMs, why, ...(signal === undefined ? {} : { signal }) };
    try {
      await link.routes.until((route) => (route.isKnown ? route : undefined), wait);
    } catch (error) {
      await link.close();
      if (!(error instanceof OperationError) || error.code !== "TIMEOUT") throw error;
      if (!link.routes.isAnswered) throw error;
      const lone = `${why}: one answers, and knows of none that is up`;
      throw new OperationError("TIMEOUT", lone, { outcome: "not-applied", cause: error.cause });
    }
    return link;
  }

  /** Kept until the link is closed. */
  channel(address: string): RpcChannel {
    if (this.#isClosed) throw closed();
    let channel = this.#channels.get(address);
    if (channel === undefined) {
      const { tls } = this.#options;
      channel = new RpcChannel({ address, ...(tls === undefined ? {} : { tls }) });
      this.#channels.set(address, channel);
    }
    return channel;
  }

  seeker(groupId: number): LeaderSeeker {
    return new LeaderSeeker(groupId, this.routes);
  }

  /**
   * Asks the leader of a group, wherever it goes meanwhile.
   *
   * @throws OperationError of the last attempt, whose outcome is that of all of them; `ABORTED`,
   *   `CLOSED`
   */
  async callLeader<Request, Received, Reply, Answer>(
    target: LeaderTarget,
    method: Method<Request, Received, Reply, Answer>,
    request: Request,
  ): Promise<Answer> {
    const { signal, end } = eitherSignal(this.#closing.signal, target.signal);
    const call: LeaderCall = { ...target, signal, isUncertain: false };
    try {
      return await this.#askLeaders(call, method, request);
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      const isClosed = error.code === "ABORTED" && target.signal?.aborted !== true;
      const problem = isClosed ? closed(error.outcome) : error;
      throw call.isUncertain ? asUnknown(problem) : problem;
    } finally {
      end();
    }
  }

  /** Idempotent. Calls that wait end. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.routes.close();
    for (const channel of this.#channels.values()) channel.close();
    this.#channels.clear();
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  async #askLeaders<Request, Received, Reply, Answer>(
    call: LeaderCall,
    method: Method<Request, Received, Reply, Answer>,
    request: Request,
  ): Promise<Answer> {
    const { seeker, isRepeatable, isLong = false, signal, timeoutMs = CALL_TIMEOUT_MS } = call;
    const { deadline = performance.now() + timeoutMs } = call;
    let backoffMs = BACKOFF_MS_MIN;
    /** The last answer: that the time was over says nothing of why. */
    let told: OperationError | undefined;
    for (;;) {
      demandNotAborted(signal);
      const left = Math.max(1, deadline - performance.now());
      const address = seeker.address();
      let problem: OperationError;
      if (address === undefined) {
        problem = new OperationError("UNAVAILABLE", `broker group ${seeker.groupId} is not known`, {
          outcome: "not-applied",
        });
      } else {
        try {
          const attemptMs = isRepeatable && !isLong ? Math.min(left, ATTEMPT_MS_MAX) : left;
          const wait = { timeoutMs: attemptMs, signal };
          const channel = this.channel(address);
          // What was not sent may be sent elsewhere.
          if (!isRepeatable) await channel.connect(Math.min(left, ATTEMPT_MS_MAX), signal);
          const answer = await channel.call(method, request, wait);
          seeker.succeeded(address);
          return answer;
        } catch (error) {
          if (signal.aborted) throw error;
          problem = asProblem(error);
          if (problem.advice === "do-not-retry") throw problem;
          if (problem.outcome === "unknown" && !isRepeatable) throw problem;
          call.isUncertain ||= problem.outcome === "unknown";
          seeker.failed(address, problem);
        }
      }
      const waitMs = Math.max(backoffMs, problem.retryAfterMs);
      if (problem.code !== "TIMEOUT") told = problem;
      if (performance.now() + waitMs >= deadline) {
        const { groupId } = seeker;
        const group = this.routes.route.groups.get(groupId)?.name ?? String(groupId);
        throw overdue(problem, told, { group, address, timeoutMs });
      }
      // Whoever was told where to go goes there at once, the first time.
      if (problem.leader === undefined || backoffMs > BACKOFF_MS_MIN) await pause(waitMs, signal);
      backoffMs = Math.min(2 * backoffMs, BACKOFF_MS_MAX);
    }
  }
}

interface Asked {
  readonly group: string;
  /** Of the node that was asked last. */
  readonly address: string | undefined;
  readonly timeoutMs: number;
}

/** What was wrong when the time was over; of an attempt that was cut short, what was before it. */
function overdue(
  problem: OperationError,
  told: OperationError | undefined,
  { group, address, timeoutMs }: Asked,
): OperationError {
  if (told === problem) return problem;
  const { outcome } = problem;
  if (told === undefined) {
    // A node that waits for a leader says nothing.
    const silent = `broker group ${group} has not answered within ${timeoutMs} ms`;
    const why = `${silent}, ${address} as the last one asked: is there a leader?`;
    return new OperationError("TIMEOUT", why, { outcome, cause: problem });
  }
  const why = `${timeoutMs} ms have passed; the last problem: ${told.code}: ${told.message}`;
  return new OperationError("TIMEOUT", why, { outcome, cause: told });
}

/** What is not of ours is a defect, and goes through. */
function asProblem(error: unknown): OperationError {
  if (error instanceof OperationError) return streamFailure(error);
  throw error;
}

function closed(outcome: OperationOutcome = "not-applied"): OperationError {
  return new OperationError("CLOSED", "the client is closed", { outcome });
}
