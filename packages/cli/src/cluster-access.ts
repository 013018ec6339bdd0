/** Asks a cluster's nodes, by way of its NameServers. */

import { type Cluster, ClusterWatch, type GroupRoute } from "@quorumlog/nameserver";
import { type Method, OperationError, RpcChannel } from "@quorumlog/protocol";

const METADATA_GROUP_ID = 1;
const PATIENCE_MS = 10_000;
const RETRY_MS = 50;

export class ClusterAccess implements AsyncDisposable {
  readonly #watch: ClusterWatch;

  constructor(nameServers: readonly string[]) {
    this.#watch = new ClusterWatch({ nameServers });
  }

  /** As it is known, once it is. */
  async cluster(signal: AbortSignal): Promise<Cluster> {
    const patience = AbortSignal.timeout(PATIENCE_MS);
    try {
      return await this.#watch.ready(AbortSignal.any([signal, patience]));
    } catch (error) {
      if (!patience.aborted) throw error;
      throw new OperationError(
        "UNAVAILABLE",
        "no NameServer knows of a cluster: is one running, and are these --name-servers?",
      );
    }
  }

  /** Of the group that decides on topics. */
  askMetadataLeader<Request, Received, Reply, Answer>(
    method: Method<Request, Received, Reply, Answer>,
    request: Request,
    signal: AbortSignal,
  ): Promise<Answer> {
    return this.askLeader(METADATA_GROUP_ID, method, { request, signal });
  }

  /** Until the leader has answered: it may change meanwhile. */
  async askLeader<Request, Received, Reply, Answer>(
    groupId: number,
    method: Method<Request, Received, Reply, Answer>,
    call: { readonly request: Request; readonly signal: AbortSignal },
  ): Promise<Answer> {
    const endsAt = performance.now() + PATIENCE_MS;
    for (;;) {
      const { groups } = await this.cluster(call.signal);
      const group = groups.find((each) => each.groupId === groupId);
      const address = leaderAddress(group);
      try {
        if (address === undefined)
          throw new OperationError("NOT_LEADER", `nobody leads broker group ${groupId} now`);
        return await ask(address, method, call.request);
      } catch (error) {
        const isOver = performance.now() > endsAt || call.signal.aborted;
        if (!(error instanceof OperationError) || isOver) throw error;
        if (error.advice === "do-not-retry") throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch.close();
  }
}

/** One call to one node. */
export async function ask<Request, Received, Reply, Answer>(
  address: string,
  method: Method<Request, Received, Reply, Answer>,
  request: Request,
): Promise<Answer> {
  const channel = new RpcChannel({ address });
  try {
    return await channel.call(method, request, { timeoutMs: 2_000 });
  } finally {
    channel.close();
  }
}

function leaderAddress(group: GroupRoute | undefined): string | undefined {
  return group?.nodes.find(({ nodeId }) => nodeId === group.leaderNodeId)?.address;
}
