/** A NameServer and small broker groups, closed when the test is over. */

import { batchMessages } from "@quorumlog/protocol";
import { MessageType, type Topic } from "@quorumlog/protocol/messages";
import { onTestFinished } from "vitest";
import { Producer, type ProducerOptions } from "../../src/index.ts";
import { SmallGroup } from "./small-group.ts";
import { SmallNameServer } from "./small-name-server.ts";

export interface SmallTopic {
  readonly name: string;
  readonly topicId: number;
  readonly isFifo?: boolean;
  readonly isWritable?: boolean;
  /** The group of each queue. */
  readonly groupIds: readonly number[];
}

export class SmallCluster {
  readonly nameServer: SmallNameServer = new SmallNameServer();
  readonly groups: SmallGroup[] = [];
  #topics: readonly SmallTopic[] = [];
  #version = 0;

  /** Groups 1, 2 and so on, of nodes 1, 2, 3 and 11, 12, 13 and so on. */
  static async open(groupCount: number, topics: readonly SmallTopic[]): Promise<SmallCluster> {
    const cluster = new SmallCluster();
    onTestFinished(async () => {
      await cluster.nameServer.close();
      for (const group of cluster.groups) await group.close();
    });
    for (let i = 0; i < groupCount; i++) {
      const nodeIds = [1, 2, 3].map((nodeId) => 10 * i + nodeId);
      cluster.groups.push(await SmallGroup.open(i + 1, nodeIds));
    }
    await cluster.nameServer.open();
    cluster.setTopics(topics);
    return cluster;
  }

  get first(): SmallGroup {
    return this.groups[0] as SmallGroup;
  }

  setTopics(topics: readonly SmallTopic[]): void {
    this.#topics = topics;
    this.#version += 1;
    this.first.coordinator.queues = new Map(
      topics.map(({ name, topicId, groupIds }) => [
        name,
        groupIds.map((groupId, queue) => ({ topicId, queue, groupId })),
      ]),
    );
    this.tell();
  }

  /** To all who watch. */
  tell(): void {
    const topics = this.#topics.map(
      ({ name, topicId, isFifo = false, isWritable = true, groupIds }): Topic.$Properties => ({
        name,
        topicId,
        messageType: isFifo ? MessageType.MESSAGE_TYPE_FIFO : MessageType.MESSAGE_TYPE_NORMAL,
        isReadable: true,
        isWritable,
        queueGroupIds: [...groupIds],
        version: this.#version,
      }),
    );
    this.nameServer.tell(this.groups, topics, this.#version);
  }

  async producer(options: Partial<ProducerOptions> = {}): Promise<Producer> {
    const nameServers = [this.nameServer.address];
    const producer = await Producer.open({ nameServers, producerGroup: "tests", ...options });
    onTestFinished(() => producer.close());
    return producer;
  }

  /** The bodies of a queue, as texts, in order. */
  bodies(topicId: number, queue: number): string[] {
    return this.groups.flatMap((group) =>
      group
        .queue(topicId, queue)
        .batches.flatMap(({ bytes }) =>
          [...batchMessages(bytes)].map(({ body }) => Buffer.from(body).toString()),
        ),
    );
  }
}
