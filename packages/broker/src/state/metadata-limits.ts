/**
 * How much of topics and configuration there may be: no more than every NameServer takes, or none
 * would take the brokers that tell of it.
 */

import { topicNameProblem } from "@quorumlog/protocol";
import type { ConfigurationValue, Topic } from "@quorumlog/protocol/messages";

export const TOPIC_COUNT_MAX = 10_000;
export const QUEUE_COUNT_MAX = 1_024;
export const CONFIGURATION_COUNT_MAX = 10_000;
/** Of all of it, encoded: a NameServer takes messages of 4 MiB. */
export const METADATA_BYTES_MAX: number = 3 * 1024 * 1024;
const CONFIGURATION_BYTES_MAX = 65_536;
const CONFIGURATION_NAME_BYTES_MAX = 255;
/** In names they reach terminals and logs; and they are what separates the names in a row's key. */
const CONTROL = /\p{Cc}/u;

/** @returns what is wrong with an entry of the configuration, naming the field. */
export function configurationProblem(
  entry: Pick<ConfigurationValue, "key" | "namespace"> & { readonly value: string | undefined },
): string | undefined {
  for (const field of ["namespace", "key"] as const) {
    const bytes = Buffer.byteLength(entry[field]);
    if (bytes < 1 || bytes > CONFIGURATION_NAME_BYTES_MAX)
      return `${field}: ${bytes} bytes are not in [1, ${CONFIGURATION_NAME_BYTES_MAX}]`;
    if (CONTROL.test(entry[field])) return `${field}: has control characters`;
  }
  const valueBytes = Buffer.byteLength(entry.value ?? "");
  if (valueBytes <= CONFIGURATION_BYTES_MAX) return undefined;
  return `value: ${valueBytes} bytes are more than ${CONFIGURATION_BYTES_MAX}`;
}

/** @returns what the metadata group cannot have said. */
export function metadataProblem(
  version: number,
  topics: readonly Topic[],
  configuration: readonly ConfigurationValue[],
): string | undefined {
  if (!Number.isSafeInteger(version)) return `version: ${version} is no count`;
  const names = new Set<string>();
  const ids = new Set<number>();
  for (const { name, topicId, queueGroupIds } of topics) {
    const problem = topicNameProblem(name);
    if (problem !== undefined) return `topics: name: ${problem}`;
    if (topicId < 1) return `topics: topic_id: ${topicId} is none`;
    if (queueGroupIds.length > QUEUE_COUNT_MAX)
      return `topics: ${queueGroupIds.length} queues are more than ${QUEUE_COUNT_MAX}`;
    names.add(name);
    ids.add(topicId);
  }
  if (names.size < topics.length || ids.size < topics.length) return "topics: two are one";
  for (const entry of configuration) {
    const problem = configurationProblem(entry);
    if (problem !== undefined) return `configuration: ${problem}`;
  }
  return undefined;
}
