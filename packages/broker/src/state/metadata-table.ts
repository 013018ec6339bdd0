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
import type { Codec, Table, Tables } from "@quorumlog/tables";
import { configurationCodec, groupCodec, topicCodec } from "./message-codec.ts";
import { METADATA_BYTES_MAX, metadataProblem } from "./metadata-limits.ts";
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
  /** Of topics and configuration, encoded. */
  #bytes = 0;

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

  get configurationCount(): number {
    return this.#configurationRows.size;
  }

  hasConfiguration(namespace: string, key: string): boolean {
    return this.#configurationRows.get(configurationKey(namespace, key)) !== undefined;
  }

  /** @returns why there is no room for a topic, or another one in its place. */
  topicRoomProblem(topic: Topic): string | undefined {
    const former = this.#topics.get(topic.name);
    return this.#roomProblem(sizeOf(topicCodec, topic) - sizeOf(topicCodec, former));
  }

  /** @returns why there is no room for an entry, or another one in its place. */
  configurationRoomProblem(entry: ConfigurationValue): string | undefined {
    const former = this.#configurationRows.get(configurationKey(entry.namespace, entry.key));
    const added = sizeOf(configurationCodec, entry) - sizeOf(configurationCodec, former);
    return this.#roomProblem(added);
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
  get nextTopicId(): number {
    return this.#lastTopicId + 1;
  }

  takeTopicId(): void {
    this.#lastTopicId += 1;
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
    const rowKey = configurationKey(namespace, key);
    if (value === undefined) this.#deleteConfiguration(rowKey);
    else this.#setConfiguration(rowKey, new ConfigurationValue({ namespace, key, value }));
  }

  /**
   * Becomes what the metadata group has, if that is newer.
   *
   * @returns the ids of topics that are no more; or what the metadata group cannot have said, and
   *   then nothing has changed.
   */
  follow(metadata: Metadata): number[] | string {
    if (metadata.version <= this.#version) return [];
    const topics = metadata.topics.map((topic) => new Topic(topic));
    const configuration = metadata.configuration.map((each) => new ConfigurationValue(each));
    const problem =
      metadataProblem(metadata.version, topics, configuration) ?? this.#changedTopicProblem(topics);
    if (problem !== undefined) return problem;
    this.#lastTopicId = topics.reduce(
      (max, { topicId }) => Math.max(max, topicId),
      this.#lastTopicId,
    );
    const ids = new Set(topics.map(({ topicId }) => topicId));
    const gone = [...this.#topics.values()].filter(({ topicId }) => !ids.has(topicId));
    for (const { name } of gone) this.#dropTopic(name);
    for (const topic of topics)
      if (this.#topics.get(topic.name)?.version !== topic.version) this.#setTopic(topic);
    this.#followConfiguration(configuration);
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
    this.#bytes = 0;
    for (const [, value] of this.#configurationRows.entries())
      this.#bytes += sizeOf(configurationCodec, value);
    for (const [, topic] of this.#topicRows.entries()) this.#know(topic);
    const [version = 0, lastTopicId = 0] = this.#countRows.get(COUNTS_ROW) ?? [];
    this.#version = version;
    this.#lastTopicId = lastTopicId;
  }

  #followConfiguration(values: readonly ConfigurationValue[]): void {
    const keyed = new Map(
      values.map((value) => [configurationKey(value.namespace, value.key), value]),
    );
    for (const [rowKey] of this.#configurationRows.entries())
      if (!keyed.has(rowKey)) this.#deleteConfiguration(rowKey);
    for (const [rowKey, value] of keyed)
      if (this.#configurationRows.get(rowKey)?.value !== value.value)
        this.#setConfiguration(rowKey, value);
  }

  /** An id stands for one name, and for nothing once that is gone: the index has it for both. */
  #changedTopicProblem(topics: readonly Topic[]): string | undefined {
    const changed = topics.find(({ topicId, name }) => {
      const known = this.#topicsById.get(topicId);
      return known === undefined ? topicId <= this.#lastTopicId : known.name !== name;
    });
    if (changed === undefined) return undefined;
    return `topics: topic_id: ${changed.topicId} was another topic's`;
  }

  #setConfiguration(rowKey: string, value: ConfigurationValue): void {
    this.#deleteConfiguration(rowKey);
    this.#configurationRows.set(rowKey, value);
    this.#bytes += sizeOf(configurationCodec, value);
  }

  #deleteConfiguration(rowKey: string): void {
    this.#bytes -= sizeOf(configurationCodec, this.#configurationRows.get(rowKey));
    this.#configurationRows.delete(rowKey);
  }

  #roomProblem(addedBytes: number): string | undefined {
    const bytes = this.#bytes + addedBytes;
    if (addedBytes <= 0 || bytes <= METADATA_BYTES_MAX) return undefined;
    return `topics and configuration would have ${bytes} bytes, above ${METADATA_BYTES_MAX}`;
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
    this.#bytes -= sizeOf(topicCodec, former);
    this.#topicRows.set(topic.name, topic);
    this.#know(topic);
  }

  #dropTopic(name: string): void {
    const topic = this.#topics.get(name);
    if (topic === undefined) return;
    this.#topics.delete(name);
    this.#topicsById.delete(topic.topicId);
    this.#topicRows.delete(name);
    this.#bytes -= sizeOf(topicCodec, topic);
  }

  #know(topic: Topic): void {
    this.#topics.set(topic.name, topic);
    this.#topicsById.set(topic.topicId, topic);
    this.#bytes += sizeOf(topicCodec, topic);
  }
}

/** A character that neither of them has comes between, so that a row's key stays short. */
function configurationKey(namespace: string, key: string): string {
  return `${namespace}\0${key}`;
}

function sizeOf<Value>(codec: Codec<Value>, value: Value | undefined): number {
  return value === undefined ? 0 : codec.encode(value).byteLength;
}
