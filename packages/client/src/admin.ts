/** Looks at a cluster and changes it: topics, configuration, nodes, stored messages, offsets. */

import {
  ADMIN_SERVICE,
  NODE_SERVICE,
  OFFSETS_SERVICE,
  OperationError,
  parseMessageId,
} from "@quorumlog/protocol";
import {
  type GroupView,
  MessageType,
  type NodeStatus,
  type Topic,
} from "@quorumlog/protocol/messages";
import {
  ADD_NODE_CHECKS,
  type AddNodeOptions,
  ADMIN_CHECKS,
  type AdminOptions,
  ALTER_TOPIC_CHECKS,
  type AlterTopicOptions,
  CONFIGURATION_CHECKS,
  CREATE_TOPIC_CHECKS,
  type CreateTopicOptions,
  FIND_CHECKS,
  GROUP_CHECKS,
  messageKey,
  NODE_CHECKS,
  REPLACE_NODE_CHECKS,
  type ReplaceNodeOptions,
  topicName,
  WAIT_CHECKS,
} from "./admin-options.ts";
import { ClusterLink } from "./cluster-link.ts";
import {
  type ConfigurationEntry,
  type GroupRoute,
  topicRoute,
  type TopicRoute,
} from "./cluster-route.ts";
import type { ConsumedMessage } from "./consumed-message.ts";
import { FetchedQueue } from "./fetched-queue.ts";
import { Fetcher, type QueuePlace } from "./fetcher.ts";
import { METADATA_GROUP_ID } from "./group-membership.ts";
import type { LeaderSeeker } from "./leader-seeker.ts";
import { type FindOptions, MessageFinder } from "./message-finder.ts";
import { resetOffsets } from "./offset-reset.ts";
import { demandOptions, invalid } from "./option-problems.ts";
import { demandPlace } from "./pull-consumer-options.ts";
import type { WaitOptions } from "./waiting.ts";

export interface ClusterView {
  readonly clusterId: string;
  readonly groups: readonly GroupRoute[];
  readonly topics: readonly TopicRoute[];
  readonly configuration: readonly ConfigurationEntry[];
}

/** How far a consumer group is in one queue. */
export interface GroupQueueOffset {
  readonly topic: string;
  readonly queue: number;
  /** `undefined`: nothing was committed yet. */
  readonly committedOffset: number | undefined;
  readonly endOffset: number;
  /** How many messages there are behind the committed offset. */
  readonly lag: number;
  /** Milliseconds since 1970, by the log's time. */
  readonly committedAt: number | undefined;
}

const ROUTE_MS = 2_000;
/** A node that is new receives everything that is retained. */
const MEMBERSHIP_MS = 3_600_000;

export class Admin implements AsyncDisposable {
  readonly #link: ClusterLink;
  readonly #finder: MessageFinder;
  readonly #seekers = new Map<number, LeaderSeeker>();

  private constructor(link: ClusterLink) {
    this.#link = link;
    this.#finder = new MessageFinder(link);
  }

  /** @throws OperationError `INVALID_ARGUMENT` with all that does not fit, `TIMEOUT`, `ABORTED` */
  static async open(options: AdminOptions): Promise<Admin> {
    demandOptions<AdminOptions>(options, ADMIN_CHECKS, ["nameServers"]);
    return new Admin(await ClusterLink.open(options, options.signal));
  }

  /** @throws OperationError `TOPIC_EXISTS` */
  async createTopic(options: CreateTopicOptions): Promise<TopicRoute> {
    demandOptions<CreateTopicOptions>(options, CREATE_TOPIC_CHECKS, ["name"]);
    const { name, type = "normal", queueCount = 0, groupIds = [], isIdempotent = false } = options;
    const messageType =
      type === "fifo" ? MessageType.MESSAGE_TYPE_FIFO : MessageType.MESSAGE_TYPE_NORMAL;
    const request = { name, messageType, queueCount, groupIds: [...groupIds], isIdempotent };
    const target = this.#leader(METADATA_GROUP_ID, options, isIdempotent);
    return this.#routed(await this.#link.callLeader(target, ADMIN_SERVICE.createTopic, request));
  }

  /**
   * Leaves alone what is not said. @throws OperationError `UNKNOWN_TOPIC`, `QUEUE_COUNT_REFUSED`
   */
  async alterTopic(options: AlterTopicOptions): Promise<TopicRoute> {
    demandOptions<AlterTopicOptions>(options, ALTER_TOPIC_CHECKS, ["name"]);
    const { name, queueCount = 0, isReadable, isWritable } = options;
    const request = {
      name,
      queueCount,
      ...(isReadable === undefined ? {} : { isReadable }),
      ...(isWritable === undefined ? {} : { isWritable }),
    };
    const target = this.#leader(METADATA_GROUP_ID, options);
    return this.#routed(await this.#link.callLeader(target, ADMIN_SERVICE.alterTopic, request));
  }

  /** With everything in it. @throws OperationError `UNKNOWN_TOPIC` */
  async deleteTopic(name: string, options: WaitOptions = {}): Promise<void> {
    demandArguments({ name }, { name: topicName });
    demandOptions<WaitOptions>(options, WAIT_CHECKS);
    const target = this.#leader(METADATA_GROUP_ID, options);
    await this.#link.callLeader(target, ADMIN_SERVICE.deleteTopic, { name });
  }

  /** @param value - `undefined` removes it. */
  async putConfiguration(
    { namespace, key, value }: Omit<ConfigurationEntry, "value"> & { readonly value?: string },
    options: WaitOptions = {},
  ): Promise<void> {
    demandOptions({ namespace, key, value }, CONFIGURATION_CHECKS, ["namespace", "key"]);
    demandOptions<WaitOptions>(options, WAIT_CHECKS);
    const request = { namespace, key, ...(value === undefined ? {} : { value }) };
    const target = this.#leader(METADATA_GROUP_ID, options, true);
    await this.#link.callLeader(target, ADMIN_SERVICE.putConfiguration, request);
  }

  /** As the NameServers have told last. */
  cluster(): ClusterView {
    const { clusterId, groups, topics, configuration } = this.#link.routes.route;
    return {
      clusterId,
      groups: [...groups.values()].toSorted((a, b) => a.groupId - b.groupId),
      topics: [...topics.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
      configuration,
    };
  }

  /** Resolves at the next change of what `cluster` says. */
  async clusterChange(options: WaitOptions = {}): Promise<ClusterView> {
    demandOptions<WaitOptions>(options, WAIT_CHECKS);
    const { route } = this.#link.routes;
    const wait = { timeoutMs: 86_400_000, why: "nothing has changed", ...options };
    await this.#link.routes.until((now) => (now === route ? undefined : now), wait);
    return this.cluster();
  }

  /** What one node says of itself. @throws OperationError `UNAVAILABLE` */
  async nodeStatus(
    node: { readonly groupId: number; readonly nodeId: number },
    options: WaitOptions = {},
  ): Promise<NodeStatus> {
    demandOptions(node, NODE_CHECKS, ["groupId", "nodeId"]);
    demandOptions<WaitOptions>(options, WAIT_CHECKS);
    const group = this.#link.routes.route.groups.get(node.groupId);
    const address = group?.addresses.get(node.nodeId);
    if (address === undefined)
      throw new OperationError("UNAVAILABLE", `node ${node.nodeId} is not on the routes`, {
        outcome: "not-applied",
      });
    return this.#link.channel(address).call(NODE_SERVICE.getStatus, {}, options);
  }

  async transferLeadership(
    node: { readonly groupId: number; readonly nodeId: number },
    options: WaitOptions = {},
  ): Promise<GroupView.$Properties> {
    demandOptions(node, NODE_CHECKS, ["groupId", "nodeId"]);
    demandOptions<WaitOptions>(options, WAIT_CHECKS);
    const target = this.#leader(node.groupId, options);
    const { nodeId } = node;
    const reply = await this.#link.callLeader(target, NODE_SERVICE.transferLeadership, { nodeId });
    return reply.group ?? {};
  }

  /** Resolves once the node holds everything, and counts. Default timeout: an hour. */
  async addNode(options: AddNodeOptions): Promise<GroupView.$Properties> {
    demandOptions<AddNodeOptions>(options, ADD_NODE_CHECKS, ["groupId", "nodeId", "peerAddress"]);
    const { groupId, nodeId, peerAddress, staysLearner = false } = options;
    const target = this.#leader(groupId, { timeoutMs: MEMBERSHIP_MS, ...options });
    const request = { nodeId, peerAddress, staysLearner };
    return (await this.#link.callLeader(target, NODE_SERVICE.addNode, request)).group ?? {};
  }

  async removeNode(
    node: { readonly groupId: number; readonly nodeId: number },
    options: WaitOptions = {},
  ): Promise<GroupView.$Properties> {
    demandOptions(node, NODE_CHECKS, ["groupId", "nodeId"]);
    demandOptions<WaitOptions>(options, WAIT_CHECKS);
    const target = this.#leader(node.groupId, options);
    const { nodeId } = node;
    return (await this.#link.callLeader(target, NODE_SERVICE.removeNode, { nodeId })).group ?? {};
  }

  /** Resolves once the new node counts in the former one's place. Default timeout: an hour. */
  async replaceNode(options: ReplaceNodeOptions): Promise<GroupView.$Properties> {
    const required = ["groupId", "formerNodeId", "nodeId", "peerAddress"] as const;
    demandOptions<ReplaceNodeOptions>(options, REPLACE_NODE_CHECKS, required);
    const { groupId, formerNodeId, nodeId, peerAddress } = options;
    const target = this.#leader(groupId, { timeoutMs: MEMBERSHIP_MS, ...options });
    const request = { formerNodeId, nodeId, peerAddress };
    return (await this.#link.callLeader(target, NODE_SERVICE.replaceNode, request)).group ?? {};
  }

  /** @returns `undefined` if there is none of that id, or none any more. */
  async messageById(id: string, options: WaitOptions = {}): Promise<ConsumedMessage | undefined> {
    demandOptions<WaitOptions>(options, WAIT_CHECKS);
    const address = typeof id === "string" ? parseMessageId(id) : undefined;
    if (address === undefined)
      throw invalid([{ field: "id", problem: "not topicId-queue-offset, as in 7-0-42" }]);
    const topic = this.#link.routes.route.topicOfId(address.topicId);
    return topic === undefined ? undefined : this.#finder.byId(topic, address, options);
  }

  /** @throws OperationError `UNKNOWN_TOPIC` */
  async messagesByKey(
    topic: string,
    key: string,
    options: FindOptions = {},
  ): Promise<{ readonly messages: readonly ConsumedMessage[]; readonly isTruncated: boolean }> {
    demandArguments({ key }, { key: messageKey });
    demandOptions<FindOptions>(options, FIND_CHECKS);
    return this.#finder.byKey(this.#topic(topic), key, options);
  }

  /** @throws OperationError `UNKNOWN_TOPIC` */
  async messagesByTime(
    topic: string,
    options: FindOptions = {},
  ): Promise<readonly ConsumedMessage[]> {
    demandOptions<FindOptions>(options, FIND_CHECKS);
    return this.#finder.byTime(this.#topic(topic), options);
  }

  /** How far a consumer group is, in all queues that it has ever had. */
  async groupOffsets(group: string, options: WaitOptions = {}): Promise<GroupQueueOffset[]> {
    demandArguments({ group }, GROUP_CHECKS);
    demandOptions<WaitOptions>(options, WAIT_CHECKS);
    const { route } = this.#link.routes;
    const replies = await Promise.all(
      [...route.groups.keys()].map((groupId) => {
        const target = this.#leader(groupId, options, true);
        return this.#link.callLeader(target, OFFSETS_SERVICE.getOffsets, { group, queues: [] });
      }),
    );
    return replies
      .flatMap(({ offsets }) => offsets)
      .map(({ topicId, queue, committedOffset, committedAtMs, endOffset }) => {
        const committed = committedOffset ?? -1;
        return {
          topic: route.topicOfId(topicId ?? 0)?.name ?? `#${topicId ?? 0}`,
          queue: queue ?? 0,
          committedOffset: committed < 0 ? undefined : committed,
          endOffset: endOffset ?? 0,
          lag: (endOffset ?? 0) - Math.max(0, committed),
          committedAt: committed < 0 ? undefined : (committedAtMs ?? 0),
        };
      })
      .toSorted((a, b) => (a.topic === b.topic ? a.queue - b.queue : a.topic < b.topic ? -1 : 1));
  }

  /**
   * Moves a group that has no members to a place in each queue of a topic.
   *
   * @throws OperationError `MEMBERSHIP_REFUSED` while it has members
   */
  async resetOffsets(
    { group, topic: name, place }: { group: string; topic: string; place: QueuePlace },
    options: WaitOptions = {},
  ): Promise<void> {
    demandArguments({ group }, GROUP_CHECKS);
    demandPlace(place);
    demandOptions<WaitOptions>(options, WAIT_CHECKS);
    const topic = this.#topic(name);
    const fetcher = new Fetcher({ link: this.#link, bytesMax: 1, onOutOfRange: "fail" });
    try {
      const queues = topic.groupIds.map((_, queue) => new FetchedQueue(topic, queue, []));
      const offsets = await Promise.all(
        queues.map((queue) => fetcher.offsetOf(queue, place, options)),
      );
      const places = new Map(queues.map((queue, i) => [queue, offsets[i] as number]));
      await resetOffsets({ link: this.#link, group, topic }, places, options);
    } finally {
      await fetcher.close();
    }
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.#link.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #leader(
    groupId: number,
    { signal, timeoutMs }: WaitOptions,
    isRepeatable = false,
  ): { readonly seeker: LeaderSeeker; readonly isRepeatable: boolean } & WaitOptions {
    let seeker = this.#seekers.get(groupId);
    if (seeker === undefined) {
      seeker = this.#link.seeker(groupId);
      this.#seekers.set(groupId, seeker);
    }
    return {
      seeker,
      isRepeatable,
      ...(signal === undefined ? {} : { signal }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    };
  }

  #topic(name: string): TopicRoute {
    demandArguments({ topic: name }, { topic: topicName });
    const topic = this.#link.routes.route.topics.get(name);
    if (topic !== undefined) return topic;
    throw new OperationError("UNKNOWN_TOPIC", `there is no topic ${name}`);
  }

  /** The NameServers have heard of it, too, unless they are away: whoever begins now finds it. */
  async #routed(wire: Topic): Promise<TopicRoute> {
    const topic = topicRoute(wire);
    const look = (known: TopicRoute | undefined): TopicRoute | undefined =>
      JSON.stringify(known) === JSON.stringify(topic) ? known : undefined;
    const wait = { timeoutMs: ROUTE_MS, why: "the NameServers have not heard of it" };
    try {
      return await this.#link.routes.until((route) => look(route.topics.get(topic.name)), wait);
    } catch (error) {
      if (error instanceof OperationError && error.code === "TIMEOUT") return topic;
      throw error;
    }
  }
}

function demandArguments<Arguments extends object>(
  given: Arguments,
  checks: Parameters<typeof demandOptions<Arguments>>[1],
): void {
  demandOptions<Arguments>(given, checks, Object.keys(given) as (keyof Arguments & string)[]);
}
