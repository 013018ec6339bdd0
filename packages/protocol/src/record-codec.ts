/**
 * Records: what the messages of a batch are, one behind the other.
 *
 *     u32 length            of what follows
 *     u8  flags             1 keys, 2 message group, 4 properties
 *     u32 bornDelay         after the batch's bornTimestamp, in milliseconds
 *     [u8 count, count * { u8 length, text }]             keys
 *     [u8 length, text]                                   message group
 *     [u8 count, count * { u8 length, text; u16 length, text }]   properties, by name
 *     the body, which is the rest
 *
 * Little endian; text is UTF-8. The tag is in the batch's header, for brokers to read.
 */

import type { MessageFields } from "./message.ts";

const FLAG = { keys: 1, messageGroup: 2, properties: 4 } as const;
const RECORD_HEADER_BYTES = 9;
const BORN_DELAY_MAX = 2 ** 32 - 1;

/** What is written of a message beside its body; none of most. */
export interface RecordHead {
  readonly flags: number;
  readonly bytes: Buffer | undefined;
}

const PLAIN: RecordHead = { flags: 0, bytes: undefined };

export function recordHead({ keys, messageGroup, properties }: MessageFields): RecordHead {
  const hasKeys = keys !== undefined && keys.length > 0;
  const names = properties === undefined ? [] : Object.keys(properties);
  if (!hasKeys && messageGroup === undefined && names.length === 0) return PLAIN;
  const parts: Buffer[] = [];
  let flags = 0;
  if (hasKeys) {
    flags |= FLAG.keys;
    parts.push(Buffer.of(keys.length), ...keys.map(shortText));
  }
  if (messageGroup !== undefined) {
    flags |= FLAG.messageGroup;
    parts.push(shortText(messageGroup));
  }
  if (properties !== undefined && names.length > 0) {
    flags |= FLAG.properties;
    parts.push(Buffer.of(names.length));
    for (const name of names.toSorted())
      parts.push(shortText(name), longText(properties[name] ?? ""));
  }
  return { flags, bytes: Buffer.concat(parts) };
}

/** @returns the bytes that it takes, with its length. */
export function recordBytes(head: RecordHead, bodyBytes: number): number {
  return RECORD_HEADER_BYTES + (head.bytes?.length ?? 0) + bodyBytes;
}

/** @returns where the next one begins. */
export function writeRecord(
  target: Buffer,
  at: number,
  record: { readonly head: RecordHead; readonly body: Uint8Array; readonly bornDelay: number },
): number {
  const { head, body, bornDelay } = record;
  const length = recordBytes(head, body.length) - 4;
  target.writeUInt32LE(length, at);
  target.writeUInt8(head.flags, at + 4);
  target.writeUInt32LE(Math.min(Math.max(0, bornDelay), BORN_DELAY_MAX), at + 5);
  let next = at + RECORD_HEADER_BYTES;
  if (head.bytes !== undefined) next += head.bytes.copy(target, next);
  target.set(body, next);
  return next + body.length;
}

/** Whoever reads a record that is none: its batch was damaged, or written by something else. */
export class RecordError extends Error {
  override readonly name = "RecordError";
  /** Its bytes are not those that were stored: they may come whole the next time. */
  readonly isDamage: boolean;
  /** Which one of its batch cannot be read; `undefined`: none of the batch can be. */
  readonly number: number | undefined;

  constructor(
    message: string,
    {
      isDamage = false,
      number,
      cause,
    }: { readonly isDamage?: boolean; readonly number?: number; readonly cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.isDamage = isDamage;
    this.number = number;
  }
}

/** A record as it is read: `undefined` for what it does not have. */
export interface ReadRecord {
  /** A view. */
  readonly body: Buffer;
  readonly bornDelay: number;
  readonly keys: readonly string[] | undefined;
  readonly messageGroup: string | undefined;
  readonly properties: Readonly<Record<string, string>> | undefined;
}

/**
 * Reads one record.
 *
 * @param length - Without the four bytes of the length itself.
 * @throws RecordError
 */
export function readRecord(bytes: Buffer, at: number, length: number): ReadRecord {
  const flags = bytes.readUInt8(at);
  const bornDelay = bytes.readUInt32LE(at + 1);
  // Each field by its name, here and where it goes: this is run for each message.
  if (flags === 0)
    return {
      body: bytes.subarray(at + 5, at + length),
      bornDelay,
      keys: undefined,
      messageGroup: undefined,
      properties: undefined,
    };
  if (flags > 7) throw new RecordError(`flags ${flags} are not known here`);
  const cursor = { bytes, at: at + 5, end: at + length };
  const keys = (flags & FLAG.keys) === 0 ? undefined : texts(cursor, takeByte(cursor));
  const messageGroup = (flags & FLAG.messageGroup) === 0 ? undefined : takeShortText(cursor);
  const properties = (flags & FLAG.properties) === 0 ? undefined : takeProperties(cursor);
  const body = bytes.subarray(cursor.at, cursor.end);
  return { body, bornDelay, keys, messageGroup, properties };
}

interface Cursor {
  readonly bytes: Buffer;
  readonly end: number;
  at: number;
}

function take(cursor: Cursor, length: number): number {
  const { at } = cursor;
  if (at + length > cursor.end) throw new RecordError("a record ends within one of its fields");
  cursor.at += length;
  return at;
}

function takeByte(cursor: Cursor): number {
  return cursor.bytes.readUInt8(take(cursor, 1));
}

function takeText(cursor: Cursor, length: number): string {
  const at = take(cursor, length);
  return cursor.bytes.toString("utf8", at, at + length);
}

function takeShortText(cursor: Cursor): string {
  return takeText(cursor, takeByte(cursor));
}

function texts(cursor: Cursor, count: number): string[] {
  return Array.from({ length: count }, () => takeShortText(cursor));
}

function takeProperties(cursor: Cursor): Record<string, string> {
  const properties: Record<string, string> = Object.create(null) as Record<string, string>;
  for (let left = takeByte(cursor); left > 0; left--) {
    const name = takeShortText(cursor);
    properties[name] = takeText(cursor, cursor.bytes.readUInt16LE(take(cursor, 2)));
  }
  return properties;
}

function shortText(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.of(bytes.length), bytes]);
}

function longText(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.allocUnsafe(2);
  length.writeUInt16LE(bytes.length, 0);
  return Buffer.concat([length, bytes]);
}
