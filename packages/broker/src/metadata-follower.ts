/**
 * Keeps a broker group's topics as the metadata group has them: its leader watches, and puts what
 * is newer into its own log, so that its replicas agree on it. It also makes its group known there,
 * and notes where that is, for times without NameServers.
 *
 * While the metadata group is not reached, this one goes on with what it knows.
 */

import { ClusterWatch } from "@quorumlog/nameserver";
import {
  ADMIN_SERVICE,
  type ChannelTls,
  COORDINATOR_SERVICE,
  fromGrpcFailure,
  OperationError,
  RpcChannel,
} from "@quorumlog/protocol";
import type {
  FindDormantGroupsReply,
  FindDormantGroupsRequest,
  Metadata,
} from "@quorumlog/protocol/messages";
import type { BrokerGroup } from "./broker-group.ts";
import { METADATA_GROUP_ID } from "./state/broker-machine.ts";

export interface MetadataFollowerInit {
  readonly group: BrokerGroup;
  readonly clusterId: string;
  readonly nameServers: readonly string[];
  readonly tls?: ChannelTls | undefined;
  /** The metadata group takes this group in, or says why not. */
  readonly onRegistered: (refusal: OperationError | undefined) => void;
  readonly onDefect: (error: unknown) => void;
}

const RETRY_MS = 200;
/** Somebody has to change something first. */
const REFUSED_RETRY_MS = 5_000;
const ASK_MS = 3_000;

export class MetadataFollower {
  readonly #init: MetadataFollowerInit;
  #watch: ClusterWatch | undefined;
  /** Of the broker group: what it has begun ends with it. */
  #reign: AbortController | undefined;
  /** What was begun, in any reign, and is not over. */
  readonly #works = new Set<Promise<void>>();
  #isNoting = false;

  constructor(init: MetadataFollowerInit) {
    this.#init = init;
  }

  /** @param isLeader - Of this broker group. */
  onRole(isLeader: boolean): void {
    this.#reign?.abort();
    this.#reign = undefined;
    if (!isLeader) return;
    const { nameServers, clusterId, tls } = this.#init;
    if (nameServers.length === 0) return;
    const reign = new AbortController();
    const { signal } = reign;
    this.#reign = reign;
    this.#watch ??= new ClusterWatch({
      nameServers,
      clusterId,
      ...(tls === undefined ? {} : { tls }),
      onCluster: () => {
        if (this.#reign !== undefined) this.#noteNodes(this.#reign.signal);
      },
    });
    this.#noteNodes(signal);
    this.#begin(this.#register(signal));
    this.#begin(this.#follow(signal));
  }

  /**
   * Asks the coordinator of consumer groups, wherever it is: each node of the metadata group once.
   *
   * @throws OperationError of the last one, if nobody has an answer
   */
  async findDormantGroups(
    request: FindDormantGroupsRequest.$Properties,
  ): Promise<FindDormantGroupsReply> {
    let failure = new OperationError("UNAVAILABLE", "no node of the metadata group is known", {
      outcome: "not-applied",
    });
    for (const address of this.#addresses()) {
      try {
        return await this.#at(address, (channel) =>
          channel.call(COORDINATOR_SERVICE.findDormantGroups, request, { timeoutMs: ASK_MS }),
        );
      } catch (error) {
        if (!(error instanceof OperationError)) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  /** Nothing of it goes on behind that. */
  async close(): Promise<void> {
    this.onRole(false);
    await this.#watch?.close();
    await Promise.all(this.#works);
  }

  #begin(work: Promise<void>): void {
    const guarded = work.catch(this.#init.onDefect).finally(() => this.#works.delete(guarded));
    this.#works.add(guarded);
  }

  /** Until the metadata group knows this one; a refusal is told, and may be taken back later. */
  async #register(signal: AbortSignal): Promise<void> {
    const { group, onRegistered } = this.#init;
    const { groupId, name } = group;
    await this.#inTurn(signal, async (channel) => {
      try {
        await channel.call(ADMIN_SERVICE.registerGroup, { groupId, name }, { signal });
      } catch (error) {
        const isRefused = error instanceof OperationError && error.advice === "do-not-retry";
        if (!isRefused || signal.aborted) throw error;
        onRegistered(error);
        return REFUSED_RETRY_MS;
      }
      if (!signal.aborted) onRegistered(undefined);
      return undefined;
    });
  }

  async #follow(signal: AbortSignal): Promise<void> {
    await this.#inTurn(signal, async (channel) => {
      await this.#readFrom(channel, signal);
      return RETRY_MS;
    });
  }

  /**
   * Asks one node of the metadata group after the other, for as long as it leads: one that has
   * gone, or does not lead, is passed over.
   *
   * @param ask - Says when to ask again, in milliseconds; `undefined`: it is done.
   */
  async #inTurn(
    signal: AbortSignal,
    ask: (channel: RpcChannel) => Promise<number | undefined>,
  ): Promise<void> {
    for (let turn = 0; !signal.aborted; turn++) {
      const addresses = this.#addresses();
      const address = addresses[turn % Math.max(1, addresses.length)];
      let retryMs: number | undefined = RETRY_MS;
      try {
        if (address !== undefined) retryMs = await this.#at(address, ask);
      } catch (error) {
        if (!(error instanceof OperationError)) throw error;
      }
      if (retryMs === undefined) return;
      await pause(retryMs, signal);
    }
  }

  async #at<T>(address: string, ask: (channel: RpcChannel) => Promise<T>): Promise<T> {
    const { tls } = this.#init;
    const channel = new RpcChannel({ address, ...(tls === undefined ? {} : { tls }) });
    try {
      return await ask(channel);
    } finally {
      channel.close();
    }
  }

  /** Until the stream ends, or the reign does. */
  #readFrom(channel: RpcChannel, signal: AbortSignal): Promise<void> {
    const { group } = this.#init;
    const knownVersion = group.machine.metadata.version;
    const stream = channel.serverStream(ADMIN_SERVICE.watchMetadata, { knownVersion });
    const end = (): void => {
      stream.cancel();
    };
    signal.addEventListener("abort", end, { once: true });
    return new Promise<void>((resolve, reject) => {
      stream.on("data", (metadata: Metadata) => {
        if (signal.aborted) return;
        // In the order in which they come: of two, the newer one stays.
        group.execute({ metadata }).catch((error: unknown) => {
          stream.cancel();
          if (!(error instanceof OperationError)) reject(error);
        });
      });
      stream.on("error", (error) => {
        if (signal.aborted) resolve();
        else reject(fromGrpcFailure(error));
      });
      stream.on("end", resolve);
      if (signal.aborted) end();
    }).finally(() => {
      signal.removeEventListener("abort", end);
    });
  }

  /** Whatever comes while it is at work is noted, too. */
  #noteNodes(signal: AbortSignal): void {
    if (this.#isNoting) return;
    this.#isNoting = true;
    const noted = this.#note(signal).finally(() => {
      this.#isNoting = false;
      // Of the reign that has come meanwhile.
      const next = this.#reign?.signal;
      if (signal.aborted && next !== undefined) this.#noteNodes(next);
    });
    this.#begin(noted);
  }

  /** What NameServers say of the metadata group, and the log does not have yet. */
  async #note(signal: AbortSignal): Promise<void> {
    const { group } = this.#init;
    while (!signal.aborted) {
      const addresses = this.#routed();
      if (!group.machine.metadataNodes.lacks(addresses)) return;
      try {
        await group.execute({ noteMetadataNodes: { addresses } }, { signal });
      } catch (error) {
        // There is no quorum, or another one leads: then its signal ends this.
        if (!(error instanceof OperationError)) throw error;
      }
      await pause(RETRY_MS, signal);
    }
  }

  /** Where nodes of the metadata group are: its leader first; without NameServers, where it was. */
  #addresses(): readonly string[] {
    const routed = this.#routed();
    return routed.length > 0 ? routed : this.#init.group.machine.metadataNodes.addresses;
  }

  #routed(): string[] {
    const groups = this.#watch?.cluster?.groups ?? [];
    const route = groups.find(({ groupId }) => groupId === METADATA_GROUP_ID);
    return (route?.nodes ?? []).map(({ address }) => address);
  }
}

/** Less, if it is called off. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const onOver = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onOver);
      resolve();
    };
    const timer = setTimeout(onOver, milliseconds);
    signal.addEventListener("abort", onOver, { once: true });
  });
}
