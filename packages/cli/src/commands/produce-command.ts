/** `quorumlog produce`: publishes what comes in, a message a line. */

import { createInterface } from "node:readline";
import { Producer } from "@quorumlog/client";
import { CLUSTER_SETTINGS, type Command, list, text } from "../command.ts";
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
    const names = {
      ...(keyField === undefined ? {} : { key: text(settings, "keyField") }),
      ...(groupField === undefined ? {} : { group: text(settings, "groupField") }),
    };
    let count = 0;
    let failure: unknown;
    const sends: Promise<unknown>[] = [];
    for await (const line of createInterface({ input: process.stdin })) {
      if (signal.aborted || failure !== undefined) break;
      const fields = fieldsOf(line, names);
      const message = {
        body: line,
        ...(tag === undefined ? {} : { tag: text(settings, "tag") }),
        ...fields,
      };
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

/** What a line of JSON says of its message. */
interface LineFields {
  readonly keys?: readonly string[];
  readonly messageGroup?: string;
}

/** @throws UsageError */
function fieldsOf(line: string, names: { key?: string; group?: string }): LineFields {
  const key = fieldOf(line, names.key);
  const messageGroup = fieldOf(line, names.group);
  return {
    ...(key === undefined ? {} : { keys: [key] }),
    ...(messageGroup === undefined ? {} : { messageGroup }),
  };
}

function fieldOf(line: string, name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  try {
    const value = (JSON.parse(line) as Readonly<Record<string, unknown>> | null)?.[name];
    if (value === undefined || value === null) return undefined;
    return typeof value === "string" ? value : JSON.stringify(value);
  } catch {
    throw new UsageError([`the line "${line.slice(0, 40)}" is no JSON, and --key-field wants it`]);
  }
}
