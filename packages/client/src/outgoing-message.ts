/** A message as a program gives it, and what cannot be one. */

import {
  type FieldProblem,
  MESSAGE_BYTES_MAX,
  type MessageFields,
  messageProblem,
  OperationError,
  topicNameProblem,
} from "@quorumlog/protocol";
import { valueInWords } from "@quorumlog/std";
import { invalid, isObject } from "./option-problems.ts";

export interface OutgoingMessage extends MessageFields {
  /** Bytes are borrowed: not to be written to before the call is settled. Text is UTF-8. */
  readonly body: Uint8Array | string;
}

/** Of a record, beside what the message says. */
const RECORD_BYTES = 9;
const FIELDS: ReadonlySet<string> = new Set(["body", "tag", "keys", "messageGroup", "properties"]);

/**
 * @returns the bytes that it will take in a batch, or a few more.
 * @throws OperationError `INVALID_ARGUMENT`, `MESSAGE_TOO_LARGE`
 */
export function demandMessage(message: unknown): number {
  if (!isObject(message)) throw invalid([{ field: "message", problem: "not an object" }]);
  const bodyBytes = bodyBytesOf(message["body"]);
  let isPlain = bodyBytes !== undefined;
  for (const field in message) if (field !== "body") isPlain = false;
  const bytes = isPlain ? (bodyBytes as number) + RECORD_BYTES : demandFields(message, bodyBytes);
  if (bytes > MESSAGE_BYTES_MAX)
    throw new OperationError(
      "MESSAGE_TOO_LARGE",
      `a message of ${bytes} bytes is larger than ${MESSAGE_BYTES_MAX}`,
      { problems: [{ field: "body", problem: `${bytes} bytes, above ${MESSAGE_BYTES_MAX}` }] },
    );
  return bytes;
}

/** @throws OperationError `INVALID_ARGUMENT` */
export function demandTopicName(topic: unknown): asserts topic is string {
  const problem =
    typeof topic === "string" ? topicNameProblem(topic) : `${valueInWords(topic)} is no name`;
  if (problem !== undefined) throw invalid([{ field: "topic", problem }]);
}

/** Its fields as they are now: the program may use the object for its next message. */
export function ownMessage(message: OutgoingMessage): OutgoingMessage {
  const { body, tag, keys, messageGroup, properties } = message;
  if ((tag ?? keys ?? messageGroup ?? properties) === undefined) return { body };
  return {
    body,
    ...(tag === undefined ? {} : { tag }),
    ...(keys === undefined ? {} : { keys: [...keys] }),
    ...(messageGroup === undefined ? {} : { messageGroup }),
    ...(properties === undefined ? {} : { properties: { ...properties } }),
  };
}

/** As it is encoded. */
export function bodyOf(body: Uint8Array | string): Uint8Array {
  return typeof body === "string" ? Buffer.from(body) : body;
}

function bodyBytesOf(body: unknown): number | undefined {
  if (body instanceof Uint8Array) return body.length;
  return typeof body === "string" ? Buffer.byteLength(body) : undefined;
}

type Given = Readonly<Record<string, unknown>>;

function demandFields(message: Given, bodyBytes: number | undefined): number {
  const problems: FieldProblem[] = [];
  if (bodyBytes === undefined)
    problems.push({
      field: "body",
      problem: `${valueInWords(message["body"])} is no Uint8Array or text`,
    });
  for (const field of Object.keys(message))
    if (!FIELDS.has(field)) problems.push({ field, problem: "unknown field" });
  for (const field of ["tag", "messageGroup"] as const)
    if (message[field] !== undefined && typeof message[field] !== "string")
      problems.push({ field, problem: `${valueInWords(message[field])} is not text` });
  const { keys, properties } = message;
  if (keys !== undefined && !(Array.isArray(keys) && keys.every(isText)))
    problems.push({ field: "keys", problem: "not a list of texts" });
  if (
    properties !== undefined &&
    !(isObject(properties) && Object.values(properties).every(isText))
  )
    problems.push({ field: "properties", problem: "not an object whose values are texts" });
  if (problems.length === 0) {
    const problem = messageProblem(message);
    if (problem !== undefined) {
      const [field = "", ...rest] = problem.split(": ");
      problems.push({ field, problem: rest.join(": ") });
    }
  }
  if (problems.length > 0) throw invalid(problems);
  return (bodyBytes as number) + RECORD_BYTES + fieldBytes(message);
}

function fieldBytes({ keys = [], messageGroup, properties = {} }: MessageFields): number {
  let bytes = 0;
  if (keys.length > 0) bytes += 1;
  for (const key of keys) bytes += 1 + Buffer.byteLength(key);
  if (messageGroup !== undefined) bytes += 1 + Buffer.byteLength(messageGroup);
  const names = Object.keys(properties);
  if (names.length > 0) bytes += 1;
  for (const name of names)
    bytes += 3 + Buffer.byteLength(name) + Buffer.byteLength(properties[name] ?? "");
  return bytes;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
