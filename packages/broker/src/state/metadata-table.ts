/**
 * Topics, broker groups and configuration: decided in the metadata group, and followed by the
 * others.
 *
 * Each change gives it a higher version. Of a group that follows, the whole is replaced by a newer
 * one; rows that are the same are left alone.
 */

import {
  ConfigurationValue,
  type Metadata,
  RegisterGroupCommand,
  Topic,
} from "@quorumlog/protocol/messages";
import type { ClusterMetadata } from "@quorumlog/nameserver";
import type { Table, Tables } from "@quorumlog/tables";
import { configurationCodec, groupCodec, topicCodec } from "./message-codec.ts";
import { numbersCodec } from "./row-codec.ts";

const COUNTS_ROW = "counts";

export class MetadataTable {
  readonly #topicRows: Table<Topic>;
  readonly #configurationRows: Table<ConfigurationValue>;
  readonly #groupRows: Table<RegisterGroupCommand>;
  readonly #countRows: Table<readonly number[]>;
  /** As the rows say, decoded. */
  readonly #topics = new Map<string, Topic>();
  readonly #topicsById = new Map<number, Topic>();
  #version = 0;
  #lastTopicId = 0;

  static readonly tableNames: readonly string[] = ["configuration", "counts", "groups", "topics"];

  constructor(tables: Tables) {
    this.#topicRows = tables.table("topics", topicCodec);
    this.#configurationRows = tables.table("configuration", configurationCodec);
    this.#groupRows = tables.table("groups", groupCodec);
    this.#countRows = tables.table("counts", numbersCodec);
  }

  get version(): number {
    return this.#version;
  }

  get topicCount(): number {
    return this.#topics.size;
  }

  topic(name: string): Topic | undefined {
    return this.#topics.get(name);
  }

  topicById(topicId: number): Topic | undefined {
    return this.#topicsById.get(topicId);
  }

  topics(): IterableIterator<Topic> {
    return this.#topics.values();
  }

  /** In the order of their ids. */
  groups(): RegisterGroupCommand[] {
    const groups = [...this.#groupRows.entries()].map(([, group]) => group);
    return groups.toSorted((a, b) => a.groupId - b.groupId);
  }

  /** An id that no topic ever had. */
  takeTopicId(): number {
    this.#lastTopicId += 1;
    return this.#lastTopicId;
  }

  putTopic(topic: Topic): void {
    this.#bump();
    topic.version = this.#version;
    this.#setTopic(topic);
  }

  removeTopic(name: string): void {
    this.#bump();
    this.#dropTopic(name);
  }

  putGroup(group: RegisterGroupCommand): void {
    this.#bump();
    this.#groupRows.set(String(group.groupId), group);
  }

  /** Without a value: removes it. */
  putConfiguration(namespace: string, key: string, value: string | undefined): void {
    this.#bump();
    const rowKey = JSON.stringify([namespace, key]);
    if (value === undefined) this.#configurationRows.delete(rowKey);
    else this.#configurationRows.set(rowKey, new ConfigurationValue({ namespace, key, value }));
  }

  /**
   * Becomes what the metadata group has, if that is newer.
   *
   * @returns the ids of topics that are no more.
   */
  follow(metadata: Metadata): number[] {
    if (metadata.version <= this.#version) return [];
    const topics = metadata.topics.map((topic) => new Topic(topic));
    const ids = new Set(topics.map(({ topicId }) => topicId));
    const gone = [...this.#topics.values()].filter(({ topicId }) => !ids.has(topicId));
    for (const { name } of gone) this.#dropTopic(name);
    for (const topic of topics)
      if (this.#topics.get(topic.name)?.version !== topic.version) this.#setTopic(topic);
    this.#followConfiguration(metadata.configuration.map((each) => new ConfigurationValue(each)));
    this.#version = metadata.version;
    this.#saveCounts();
    return gone.map(({ topicId }) => topicId);
  }

  /** All of it, as others are told. */
  view(): ClusterMetadata {
    const configuration = [...this.#configurationRows.entries()].map(([, value]) => value);
    return { version: this.#version, topics: [...this.#topics.values()], configuration };
  }

  /** The tables were replaced. */
  load(): void {
    this.#topics.clear();
    this.#topicsById.clear();
    for (const [, topic] of this.#topicRows.entries()) this.#know(topic);
    const [version = 0, lastTopicId = 0] = this.#countRows.get(COUNTS_ROW) ?? [];
    this.#version = version;
    this.#lastTopicId = lastTopicId;
  }

  #followConfiguration(values: readonly ConfigurationValue[]): void {
    const keyed = new Map(
      values.map((value) => [JSON.stringify([value.namespace, value.key]), value]),
    );
    for (const [rowKey] of this.#configurationRows.entries())
      if (!keyed.has(rowKey)) this.#configurationRows.delete(rowKey);
    for (const [rowKey, value] of keyed)
      if (this.#configurationRows.get(rowKey)?.value !== value.value)
        this.#configurationRows.set(rowKey, value);
  }

  #bump(): void {
    this.#version += 1;
    this.#saveCounts();
  }

  #saveCounts(): void {
    this.#countRows.set(COUNTS_ROW, [this.#version, this.#lastTopicId]);
  }

  #setTopic(topic: Topic): void {
    const former = this.#topics.get(topic.name);
    if (former !== undefined) this.#topicsById.delete(former.topicId);
    this.#topicRows.set(topic.name, topic);
    this.#know(topic);
  }

  #dropTopic(name: string): void {
    const topic = this.#topics.get(name);
    if (topic === undefined) return;
    this.#topics.delete(name);
    this.#topicsById.delete(topic.topicId);
    this.#topicRows.delete(name);
  }

  #know(topic: Topic): void {
    this.#topics.set(topic.name, topic);
    this.#topicsById.set(topic.topicId, topic);
  }
}
