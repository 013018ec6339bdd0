/** `quorumlog produce`: publishes what comes in, a message a line. */

import { createInterface } from "node:readline";
import { Producer } from "@quorumlog/client";
import { CLUSTER_SETTINGS, type Command, list } from "../command.ts";
import { UsageError } from "../settings.ts";

export const PRODUCE: Command = {
  name: "produce",
  operands: "TOPIC",
  about: "publishes the lines of its input, each as a message",
  settings: {
    ...CLUSTER_SETTINGS,
    keyField: { type: "text", about: "of lines that are JSON: this field is the message's key" },
    groupField: { type: "text", about: "of lines that are JSON: this field is the message group" },
    tag: { type: "text", about: "of every message" },
  },
  async run({ settings, operands, signal }) {
    const [topic] = operands;
    if (topic === undefined || operands.length > 1) throw new UsageError(["give one TOPIC"]);
    await using producer = await Producer.open({
      nameServers: list(settings, "nameServers"),
      producerGroup: "quorumlog-cli",
      onFull: "wait",
      signal,
    });
    const { tag, keyField, groupField } = settings;
    let count = 0;
    let failure: unknown;
    const sends: Promise<unknown>[] = [];
    for await (const line of createInterface({ input: process.stdin })) {
      if (signal.aborted || failure !== undefined) break;
      const fields = fieldsOf(line, keyField, groupField);
      const message = { body: line, ...(tag === undefined ? {} : { tag: String(tag) }), ...fields };
      const send = producer.send(topic, message).then(
        () => {
          count += 1;
        },
        (error: unknown) => {
          failure ??= error;
        },
      );
      sends.push(send);
      if (sends.length >= WINDOW) await Promise.all(sends.splice(0));
    }
    await Promise.all(sends);
    console.error(`${count} messages are stored`);
    if (failure !== undefined) throw failure;
  },
};

/** Messages under way. */
const WINDOW = 10_000;

function fieldsOf(
  line: string,
  keyField: unknown,
  groupField: unknown,
): { keys?: string[]; messageGroup?: string } {
  if (keyField === undefined && groupField === undefined) return {};
  const value = JSON.parse(line) as Readonly<Record<string, unknown>>;
  const key = keyField === undefined ? undefined : value[String(keyField)];
  const group = groupField === undefined ? undefined : value[String(groupField)];
  return {
    ...(key === undefined ? {} : { keys: [String(key)] }),
    ...(group === undefined ? {} : { messageGroup: String(group) }),
  };
}
