/** Looks at who publishes: asked of all broker groups, and put together. */

import { BROKER_SERVICE } from "@quorumlog/protocol";
import type { ListProducersReply } from "@quorumlog/protocol/messages";
import type { ClusterLink } from "./cluster-link.ts";
import type { LeaderSeeker } from "./leader-seeker.ts";
import type { WaitOptions } from "./waiting.ts";

/** A producer group, as the logs of the broker groups and the producers that are there tell. */
export interface ProducerGroup {
  readonly producerGroup: string;
  /** In the order of their names. */
  readonly topics: readonly ProducerGroupTopic[];
  /** Those that have a stream to a broker now, in the order of their ids. */
  readonly producers: readonly LiveProducer[];
}

/** Times are the log's: milliseconds since 1970. */
export interface ProducerGroupTopic {
  readonly topic: string;
  /** When the group was noted first; `undefined`: not yet, as it has just begun. */
  readonly since: number | undefined;
  /** When it was noted last: an hour or less before its last producer was there. */
  readonly seen: number | undefined;
}

export interface LiveProducer {
  readonly clientId: string;
  /** Where its connections come from, as `host:port`: one to each leader that it publishes to. */
  readonly addresses: readonly string[];
  readonly topics: readonly string[];
  /** Its oldest stream, in milliseconds. */
  readonly connectedMs: number;
  /** Since it has published last. */
  readonly silentMs: number;
}

export interface ListProducersOptions extends WaitOptions {
  /** That group alone; default: all. */
  readonly producerGroup?: string;
  /** Those that publish to this topic; default: to any. */
  readonly topic?: string;
}

export interface ProducerGroups {
  /** In the order of their names. */
  readonly groups: readonly ProducerGroup[];
  /** There are more producers than brokers tell of. */
  readonly isTruncated: boolean;
}

interface Found {
  readonly topics: Map<string, ProducerGroupTopic>;
  readonly producers: Map<string, LiveProducer>;
}

export interface ProducerAdminInit {
  readonly link: ClusterLink;
  /** @throws OperationError `UNKNOWN_TOPIC` */
  readonly topicIdOf: (topic: string) => number;
}

export class ProducerAdmin {
  readonly #init: ProducerAdminInit;
  readonly #seekers = new Map<number, LeaderSeeker>();

  constructor(init: ProducerAdminInit) {
    this.#init = init;
  }

  async list(options: ListProducersOptions): Promise<ProducerGroups> {
    const { producerGroup = "", topic, signal, timeoutMs } = options;
    const { link, topicIdOf } = this.#init;
    const topicId = topic === undefined ? 0 : topicIdOf(topic);
    const wait = {
      ...(signal === undefined ? {} : { signal }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    };
    const replies = await Promise.all(
      [...link.routes.route.groups.keys()].map((groupId) =>
        link.callLeader(
          { seeker: this.#seeker(groupId), isRepeatable: true, ...wait },
          BROKER_SERVICE.listProducers,
          { producerGroup, topicId },
        ),
      ),
    );
    const found = new Map<string, Found>();
    for (const reply of replies) this.#add(found, reply);
    const groups = [...found]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { topics, producers }]) => ({
        producerGroup: name,
        topics: [...topics.values()].toSorted((a, b) => (a.topic < b.topic ? -1 : 1)),
        producers: [...producers.values()].toSorted((a, b) => (a.clientId < b.clientId ? -1 : 1)),
      }));
    return { groups, isTruncated: replies.some(({ isTruncated }) => isTruncated) };
  }

  #add(found: Map<string, Found>, { topics, producers }: ListProducersReply): void {
    for (const each of topics) {
      const group = groupIn(found, each.producerGroup ?? "");
      const topic = this.#nameOf(each.topicId ?? 0);
      const known = group.topics.get(topic);
      group.topics.set(topic, {
        topic,
        since: Math.min(known?.since ?? Number.POSITIVE_INFINITY, each.sinceMs ?? 0),
        seen: Math.max(known?.seen ?? 0, each.seenMs ?? 0),
      });
    }
    for (const each of producers) {
      const group = groupIn(found, each.producerGroup ?? "");
      const names = (each.topicIds ?? []).map((topicId) => this.#nameOf(topicId));
      for (const topic of names)
        if (!group.topics.has(topic))
          group.topics.set(topic, { topic, since: undefined, seen: undefined });
      const clientId = each.clientId ?? "";
      const known = group.producers.get(clientId);
      group.producers.set(clientId, {
        clientId,
        addresses: [...new Set([...(known?.addresses ?? []), each.address ?? ""])].toSorted(),
        topics: [...new Set([...(known?.topics ?? []), ...names])].toSorted(),
        connectedMs: Math.max(known?.connectedMs ?? 0, each.connectedMs ?? 0),
        silentMs: Math.min(known?.silentMs ?? Number.POSITIVE_INFINITY, each.silentMs ?? 0),
      });
    }
  }

  /** One that has just been made or deleted may not have come round. */
  #nameOf(topicId: number): string {
    return this.#init.link.routes.route.topicOfId(topicId)?.name ?? `topic ${topicId}`;
  }

  #seeker(groupId: number): LeaderSeeker {
    let seeker = this.#seekers.get(groupId);
    if (seeker === undefined) {
      seeker = this.#init.link.seeker(groupId);
      this.#seekers.set(groupId, seeker);
    }
    return seeker;
  }
}

function groupIn(found: Map<string, Found>, name: string): Found {
  let group = found.get(name);
  if (group === undefined) {
    group = { topics: new Map(), producers: new Map() };
    found.set(name, group);
  }
  return group;
}
