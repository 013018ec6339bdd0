/**
 * Of etcd's protocol what the bench needs: rpc.proto and kv.proto of etcd's API, version 3. Fields
 * that are not used are skipped.
 */

import { Reader, Writer } from "protobufjs/minimal.js";

export interface RangeAnswer {
  readonly revision: number;
  readonly entries: readonly EtcdEntry[];
  readonly hasMore: boolean;
}

export interface EtcdEntry {
  readonly key: Buffer;
  readonly value: Uint8Array;
}

/** Ids have 64 bits, of which a number loses some: the same ones each time. */
export interface StatusAnswer {
  readonly memberId: number;
  /** 0 if none is known. */
  readonly leaderId: number;
  readonly appliedIndex: number;
}

/** PutRequest: `key` 1, `value` 2. */
export function encodePut({ key, value }: EtcdEntry): Buffer {
  return finish(new Writer().uint32(10).bytes(key).uint32(18).bytes(value));
}

/** RangeRequest: `key` 1, `range_end` 2, `limit` 3, `revision` 4. */
export function encodeRange(range: {
  readonly key: Buffer;
  readonly end: Buffer;
  readonly limit: number;
  /** 0: what is newest. */
  readonly revision: number;
}): Buffer {
  const { key, end, limit, revision } = range;
  const writer = new Writer().uint32(10).bytes(key).uint32(18).bytes(end);
  return finish(writer.uint32(24).int64(limit).uint32(32).int64(revision));
}

/** DeleteRangeRequest: `key` 1, `range_end` 2. */
export function encodeDelete({ key, end }: { readonly key: Buffer; readonly end: Buffer }): Buffer {
  return finish(new Writer().uint32(10).bytes(key).uint32(18).bytes(end));
}

/** CompactionRequest: `revision` 1, `physical` 2: it answers when it is done. */
export function encodeCompaction(revision: number): Buffer {
  return finish(new Writer().uint32(8).int64(revision).uint32(16).bool(true));
}

/** WatchRequest: `create_request` 1, of which `key` 1, `range_end` 2, `start_revision` 3. */
export function encodeWatch(watch: {
  readonly key: Buffer;
  readonly end: Buffer;
  readonly revision: number;
}): Buffer {
  const { key, end, revision } = watch;
  const create = new Writer().uint32(10).bytes(key).uint32(18).bytes(end);
  return finish(new Writer().uint32(10).bytes(finish(create.uint32(24).int64(revision))));
}

/** RangeResponse: `header` 1, `kvs` 2, `more` 3. */
export function decodeRange(bytes: Buffer): RangeAnswer {
  const entries: EtcdEntry[] = [];
  let revision = 0;
  let hasMore = false;
  eachField(bytes, (field, reader) => {
    if (field === 1) revision = headerOf(reader.bytes()).revision;
    else if (field === 2) entries.push(entryOf(reader.bytes()));
    else if (field === 3) hasMore = reader.bool();
    else return false;
    return true;
  });
  return { revision, entries, hasMore };
}

/** Any answer that begins with `header` 1. @returns the revision in it. */
export function decodeRevision(bytes: Buffer): number {
  let revision = 0;
  eachField(bytes, (field, reader) => {
    if (field === 1) revision = headerOf(reader.bytes()).revision;
    return field === 1;
  });
  return revision;
}

/** WatchResponse: `events` 11, each an Event with `kv` 2. */
export function decodeWatch(bytes: Buffer): EtcdEntry[] {
  const entries: EtcdEntry[] = [];
  eachField(bytes, (field, reader) => {
    if (field !== 11) return false;
    eachField(reader.bytes(), (inner, event) => {
      if (inner === 2) entries.push(entryOf(event.bytes()));
      return inner === 2;
    });
    return true;
  });
  return entries;
}

/** StatusResponse: `header` 1, `leader` 4, `raftAppliedIndex` 7. */
export function decodeStatus(bytes: Buffer): StatusAnswer {
  let memberId = 0;
  let leaderId = 0;
  let appliedIndex = 0;
  eachField(bytes, (field, reader) => {
    if (field === 1) ({ memberId } = headerOf(reader.bytes()));
    else if (field === 4) leaderId = Number(reader.uint64());
    else if (field === 7) appliedIndex = Number(reader.uint64());
    else return false;
    return true;
  });
  return { memberId, leaderId, appliedIndex };
}

/** ResponseHeader: `member_id` 2, `revision` 3. */
function headerOf(bytes: Uint8Array): { readonly memberId: number; readonly revision: number } {
  let memberId = 0;
  let revision = 0;
  eachField(bytes, (field, reader) => {
    if (field === 2) memberId = Number(reader.uint64());
    else if (field === 3) revision = Number(reader.int64());
    else return false;
    return true;
  });
  return { memberId, revision };
}

/** KeyValue: `key` 1, `value` 5. */
function entryOf(bytes: Uint8Array): EtcdEntry {
  let key: Uint8Array = Buffer.alloc(0);
  let value: Uint8Array = Buffer.alloc(0);
  eachField(bytes, (field, reader) => {
    if (field === 1) key = reader.bytes();
    else if (field === 5) value = reader.bytes();
    else return false;
    return true;
  });
  return { key: Buffer.from(key), value };
}

/** @param take - Whether it has read the field; what it has not is skipped. */
function eachField(bytes: Uint8Array, take: (field: number, reader: Reader) => boolean): void {
  const reader = Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (!take(tag >>> 3, reader)) reader.skipType(tag & 7);
  }
}

function finish(writer: Writer): Buffer {
  const bytes = writer.finish();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
