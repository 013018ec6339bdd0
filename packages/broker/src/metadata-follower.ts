/**
 * Keeps a broker group's topics as the metadata group has them: its leader watches, and puts what
 * is newer into its own log, so that its replicas agree on it.
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
  readonly onDefect: (error: unknown) => void;
}

const RETRY_MS = 200;
const ASK_MS = 3_000;

export class MetadataFollower {
  readonly #init: MetadataFollowerInit;
  #watch: ClusterWatch | undefined;
  /** Counts reigns: what an earlier one has begun, ends. */
  #reign = 0;
  /** Which node of the metadata group is asked next. */
  #turn = 0;
  #endStream: () => void = () => undefined;

  constructor(init: MetadataFollowerInit) {
    this.#init = init;
  }

  /** @param isLeader - Of this broker group. */
  onRole(isLeader: boolean): void {
    this.#reign += 1;
    this.#endStream();
    if (!isLeader) return;
    const { nameServers, clusterId, tls } = this.#init;
    if (nameServers.length === 0) return;
    this.#watch ??= new ClusterWatch({
      nameServers,
      clusterId,
      ...(tls === undefined ? {} : { tls }),
    });
    this.#follow(this.#reign).catch(this.#init.onDefect);
  }

  /**
   * Asks the coordinator of consumer groups, wherever it is: each node of the metadata group once.
   *
   * @throws OperationError of the last one, if nobody has an answer
   */
  async findDormantGroups(
    request: FindDormantGroupsRequest.$Properties,
  ): Promise<FindDormantGroupsReply> {
    const { tls } = this.#init;
    let failure = new OperationError("UNAVAILABLE", "no node of the metadata group is known", {
      outcome: "not-applied",
    });
    for (let left = this.#nodeCount(); left > 0; left--) {
      const address = this.#address();
      if (address === undefined) break;
      const channel = new RpcChannel({ address, ...(tls === undefined ? {} : { tls }) });
      try {
        return await channel.call(COORDINATOR_SERVICE.findDormantGroups, request, {
          timeoutMs: ASK_MS,
        });
      } catch (error) {
        if (!(error instanceof OperationError)) throw error;
        failure = error;
      } finally {
        channel.close();
      }
    }
    throw failure;
  }

  async close(): Promise<void> {
    this.onRole(false);
    await this.#watch?.close();
  }

  async #follow(reign: number): Promise<void> {
    let isRegistered = false;
    while (reign === this.#reign) {
      const address = this.#address();
      if (address !== undefined) {
        const { tls } = this.#init;
        const channel = new RpcChannel({ address, ...(tls === undefined ? {} : { tls }) });
        try {
          if (!isRegistered) await this.#register(channel);
          isRegistered = true;
          await this.#readFrom(channel, reign);
        } catch (error) {
          // Another node is asked: this one has gone, or does not lead.
          if (!(error instanceof OperationError)) throw error;
        } finally {
          channel.close();
        }
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  async #register(channel: RpcChannel): Promise<void> {
    const { groupId, name } = this.#init.group;
    await channel.call(ADMIN_SERVICE.registerGroup, { groupId, name });
  }

  /** Until the stream ends. */
  #readFrom(channel: RpcChannel, reign: number): Promise<void> {
    const { group } = this.#init;
    const knownVersion = group.machine.metadata.version;
    const stream = channel.serverStream(ADMIN_SERVICE.watchMetadata, { knownVersion });
    return new Promise((resolve, reject) => {
      this.#endStream = () => {
        stream.cancel();
      };
      stream.on("data", (metadata: Metadata) => {
        if (reign !== this.#reign) return;
        // In the order in which they come: of two, the newer one stays.
        group.execute({ metadata }).catch((error: unknown) => {
          stream.cancel();
          if (!(error instanceof OperationError)) reject(error);
        });
      });
      stream.on("error", (error) => {
        if (reign === this.#reign) reject(fromGrpcFailure(error));
        else resolve();
      });
      stream.on("end", resolve);
    });
  }

  #nodeCount(): number {
    return this.#nodes().length;
  }

  #nodes(): readonly { readonly address: string }[] {
    const groups = this.#watch?.cluster?.groups ?? [];
    return groups.find(({ groupId }) => groupId === METADATA_GROUP_ID)?.nodes ?? [];
  }

  /** Of a node of the metadata group: its leader first, the others in turn. */
  #address(): string | undefined {
    const nodes = this.#nodes();
    const node = nodes[this.#turn % Math.max(1, nodes.length)];
    this.#turn += 1;
    return node?.address;
  }
}
