/** Looks at a cluster and changes it: topics, configuration, nodes, stored messages, offsets. */

import type { ConfigurationEntry } from "@quorumlog/nameserver";
import { ADMIN_SERVICE, NODE_SERVICE, OperationError, parseMessageId } from "@quorumlog/protocol";
import { MessageType, type NodeStatus, type Topic } from "@quorumlog/protocol/messages";
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
  LIST_PRODUCERS_CHECKS,
  messageKey,
  NODE_CHECKS,
  REPLACE_NODE_CHECKS,
  type ReplaceNodeOptions,
  RESET_CHECKS,
  topicName,
  WAIT_CHECKS,
} from "./admin-options.ts";
import { ClusterLink, type LeaderTarget } from "./cluster-link.ts";
import { type GroupRoute, topicRoute, type TopicRoute } from "./cluster-route.ts";
import type { ConsumedMessage } from "./consumed-message.ts";
import {
  type ConsumerGroupDescription,
  type ConsumerGroupSummary,
  GroupAdmin,
  type GroupQueueOffset,
  type OffsetMove,
  type ResetOffsets,
} from "./group-admin.ts";
import type { QueuePlace } from "./fetcher.ts";
import { METADATA_GROUP_ID } from "./group-membership.ts";
import type { LeaderSeeker } from "./leader-seeker.ts";
import { type MembershipChange, membershipChange } from "./membership-change.ts";
import { type FindOptions, MessageFinder } from "./message-finder.ts";
import { demandOptions, invalid } from "./option-problems.ts";
import { type ListProducersOptions, ProducerAdmin, type ProducerGroups } from "./producer-admin.ts";
import { demandPlace } from "./pull-consumer-options.ts";
import type { WaitOptions } from "./waiting.ts";

export interface ClusterView {
  readonly clusterId: string;
  readonly groups: readonly GroupRoute[];
  readonly topics: readonly TopicRoute[];
  readonly configuration: readonly ConfigurationEntry[];
}

const ROUTE_MS = 2_000;
/** A node that is new receives everything that is retained. */
const MEMBERSHIP_MS = 3_600_000;

export class Admin implements AsyncDisposable {
  readonly #link: ClusterLink;
  readonly #finder: MessageFinder;
  readonly #groups: GroupAdmin;
  readonly #producers: ProducerAdmin;
  readonly #seekers = new Map<number, LeaderSeeker>();

  private constructor(link: ClusterLink) {
    this.#link = link;
    this.#finder = new MessageFinder(link);
    this.#groups = new GroupAdmin({ link, topic: (name) => this.#topic(name) });
    this.#producers = new ProducerAdmin({ link, topicIdOf: (name) => this.#topic(name).topicId });
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
    const made = await this.#link.callLeader(target, ADMIN_SERVICE.createTopic, request);
    return this.#routed(made, options);
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
    const altered = await this.#link.callLeader(target, ADMIN_SERVICE.alterTopic, request);
    return this.#routed(altered, options);
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
  ): Promise<MembershipChange> {
    demandOptions(node, NODE_CHECKS, ["groupId", "nodeId"]);
    demandOptions<WaitOptions>(options, WAIT_CHECKS);
    const target = this.#leader(node.groupId, options);
    const { nodeId } = node;
    const { transferLeadership } = NODE_SERVICE;
    return membershipChange(await this.#link.callLeader(target, transferLeadership, { nodeId }));
  }

  /** Resolves once the node holds everything, and counts. Default timeout: an hour. */
  async addNode(options: AddNodeOptions): Promise<MembershipChange> {
    demandOptions<AddNodeOptions>(options, ADD_NODE_CHECKS, ["groupId", "nodeId", "peerAddress"]);
    const { groupId, nodeId, peerAddress, staysLearner = false } = options;
    const target = this.#member(groupId, options);
    const request = { nodeId, peerAddress, staysLearner };
    return membershipChange(await this.#link.callLeader(target, NODE_SERVICE.addNode, request));
  }

  /**
   * Resolves once the node is no member, also if it was none: it may be called again after an
   * outcome that was not known, and goes on by itself where a leader is lost.
   */
  async removeNode(
    node: { readonly groupId: number; readonly nodeId: number },
    options: WaitOptions = {},
  ): Promise<MembershipChange> {
    demandOptions(node, NODE_CHECKS, ["groupId", "nodeId"]);
    demandOptions<WaitOptions>(options, WAIT_CHECKS);
    const target = { ...this.#leader(node.groupId, options, true), isLong: true };
    const { nodeId } = node;
    return membershipChange(
      await this.#link.callLeader(target, NODE_SERVICE.removeNode, { nodeId }),
    );
  }

  /** Resolves once the new node counts in the former one's place. Default timeout: an hour. */
  async replaceNode(options: ReplaceNodeOptions): Promise<MembershipChange> {
    const required = ["groupId", "formerNodeId", "nodeId", "peerAddress"] as const;
    demandOptions<ReplaceNodeOptions>(options, REPLACE_NODE_CHECKS, required);
    const { groupId, formerNodeId, nodeId, peerAddress } = options;
    const target = this.#member(groupId, options);
    const request = { formerNodeId, nodeId, peerAddress };
    return membershipChange(await this.#link.callLeader(target, NODE_SERVICE.replaceNode, request));
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

  /**
   * Which producer groups publish, and who of them is there.
   *
   * @throws OperationError `UNKNOWN_TOPIC`
   */
  async listProducers(options: ListProducersOptions = {}): Promise<ProducerGroups> {
    demandOptions<ListProducersOptions>(options, LIST_PRODUCERS_CHECKS);
    return this.#producers.list(options);
  }

  /** All consumer groups that have, or had, members or offsets, in the order of their names. */
  async listConsumerGroups(options: WaitOptions = {}): Promise<ConsumerGroupSummary[]> {
    demandOptions<WaitOptions>(options, WAIT_CHECKS);
    return this.#groups.list(options);
  }

  /**
   * Members and what each of them has, and how far the group is in each queue.
   *
   * @throws OperationError `UNKNOWN_GROUP`
   */
  async describeConsumerGroup(
    group: string,
    options: WaitOptions = {},
  ): Promise<ConsumerGroupDescription> {
    demandArguments({ group }, GROUP_CHECKS);
    demandOptions<WaitOptions>(options, WAIT_CHECKS);
    return this.#groups.describe(group, options);
  }

  /** How far a consumer group is, in all queues that it has ever had. */
  async groupOffsets(group: string, options: WaitOptions = {}): Promise<GroupQueueOffset[]> {
    demandArguments({ group }, GROUP_CHECKS);
    demandOptions<WaitOptions>(options, WAIT_CHECKS);
    return this.#groups.offsets(group, options);
  }

  /**
   * Moves a consumer group to a place in queues of a topic, also while it consumes: whatever its
   * members commit from the former place on is refused, and they go on from the new one. May be
   * repeated.
   *
   * @returns from where to where, also of a dry run.
   * @throws OperationError `UNKNOWN_TOPIC`, `UNKNOWN_QUEUE`; `OFFSET_OUT_OF_RANGE` with the range
   * of
   *   the queue that it is about
   */
  async resetOffsets(order: ResetOffsets, options: WaitOptions = {}): Promise<OffsetMove[]> {
    demandOptions<ResetOffsets>(order, RESET_CHECKS, ["group", "topic", "place"]);
    demandPlace(order.place);
    demandOptions<WaitOptions>(options, WAIT_CHECKS);
    return this.#groups.reset(order, options);
  }

  /**
   * Forgets a consumer group without members, and how far it was.
   *
   * @throws OperationError `UNKNOWN_GROUP`; `GROUP_IN_USE` that names members
   */
  async deleteConsumerGroup(group: string, options: WaitOptions = {}): Promise<void> {
    demandArguments({ group }, GROUP_CHECKS);
    demandOptions<WaitOptions>(options, WAIT_CHECKS);
    await this.#groups.delete(group, options);
  }

  /**
   * Which offset a place is in each queue of a topic, in their order: as `latest`, the end.
   *
   * @throws OperationError `UNKNOWN_TOPIC`
   */
  async queueOffsets(
    { topic, place }: { readonly topic: string; readonly place: QueuePlace },
    options: WaitOptions = {},
  ): Promise<number[]> {
    demandPlace(place);
    demandOptions<WaitOptions>(options, WAIT_CHECKS);
    const { groupIds } = this.#topic(topic);
    const order = { numbers: groupIds.map((_, queue) => queue), place };
    return [...(await this.#groups.places(this.#topic(topic), order, options)).values()];
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.#link.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #leader(groupId: number, { signal, timeoutMs }: WaitOptions, isRepeatable = false): LeaderTarget {
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

  /** For a member that joins: where the leader changes meanwhile, the next one goes on with it. */
  #member(groupId: number, options: WaitOptions): LeaderTarget {
    return {
      ...this.#leader(groupId, { timeoutMs: MEMBERSHIP_MS, ...options }, true),
      isLong: true,
    };
  }

  #topic(name: string): TopicRoute {
    demandArguments({ topic: name }, { topic: topicName });
    const topic = this.#link.routes.route.topics.get(name);
    if (topic !== undefined) return topic;
    throw new OperationError("UNKNOWN_TOPIC", `there is no topic ${name}`);
  }

  /** The NameServers have heard of it, too, unless they are away: whoever begins now finds it. */
  async #routed(wire: Topic, { signal }: WaitOptions): Promise<TopicRoute> {
    const topic = topicRoute(wire);
    const look = (known: TopicRoute | undefined): TopicRoute | undefined =>
      JSON.stringify(known) === JSON.stringify(topic) ? known : undefined;
    const why = "the NameServers have not heard of it";
    const wait = { timeoutMs: ROUTE_MS, why, ...(signal === undefined ? {} : { signal }) };
    try {
      return await this.#link.routes.until((route) => look(route.topics.get(topic.name)), wait);
    } catch (error) {
      // It is done, however long the news takes.
      if (error instanceof OperationError) return topic;
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
