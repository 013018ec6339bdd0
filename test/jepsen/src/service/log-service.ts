/**
 * One log of numbers.
 *
 *     append            {value, bytes?, sessionId?, sequence?}   {offset}
 *     compareAndAppend  {expected, value, bytes?}                {end}: stored there if expected
 *     openSession       {}                                       {sessionId}
 *     read              {from, recordsMax}                       {values, end}; any node
 *     end               {}                                       {end}; any node
 *
 * What a read has found and where it saw the log end are of one moment; `end` is null if there is
 * more. `bytes`: how long a record is at least.
 */

import { ReplicaError, type ReplicatedLog } from "@quorumlog/replica";
import type { CallInput } from "./call-input.ts";
import { type CallPlace, type CallServer, serveCalls } from "./call-server.ts";
import { type StatusSource, statusCall } from "./status-call.ts";

/** Of `ReplicatedLog`, what is served. */
export interface ServedLog
  extends StatusSource, Pick<ReplicatedLog, "append" | "openSession" | "read" | "readBarrier"> {
  status(): Pick<
    ReturnType<ReplicatedLog["status"]>,
    "nodeId" | "role" | "leaderId" | "nextOffset"
  >;
  session(
    sessionId: number,
    nextSequence: number,
  ): Pick<ReturnType<ReplicatedLog["session"]>, "append">;
}

/** Looked at in one go. */
const READ_BYTES_MAX = 64 * 1024;
/** A record is one line of JSON, filled up with spaces. */
const FILLER = " ";

/** @throws Error if the port cannot be had. */
export function serveLog(log: ServedLog, place: CallPlace): Promise<CallServer> {
  return serveCalls(
    {
      status: statusCall(log),
      openSession: async (input) => {
        const { sessionId } = await log.openSession(input.wait);
        return { sessionId };
      },
      append: async (input) => ({ offset: await append(log, input) }),
      compareAndAppend: async (input) => ({ end: await compareAndAppend(log, input) }),
      read: async (input) => {
        const from = input.count("from");
        const recordsMax = input.count("recordsMax");
        await log.readBarrier(input.wait);
        return read(log, from, recordsMax);
      },
      end: async (input) => {
        await log.readBarrier(input.wait);
        return { end: log.status().nextOffset };
      },
    },
    place,
  );
}

async function append(log: ServedLog, input: CallInput): Promise<number | null> {
  const sessionId = input.optionalCount("sessionId");
  const record = recordOf(input);
  if (sessionId === undefined) return (await log.append(record, input.wait)).offset ?? null;
  const sequence = input.count("sequence");
  const session = log.session(sessionId, sequence);
  return (await session.append(record, { ...input.wait, sequence })).offset ?? null;
}

async function compareAndAppend(log: ServedLog, input: CallInput): Promise<number> {
  const expectedOffset = input.count("expected");
  try {
    await log.append(recordOf(input), { ...input.wait, expectedOffset });
    return expectedOffset;
  } catch (error) {
    // Where the log ends is an answer: it was decided at one point of the log.
    if (error instanceof ReplicaError && error.code === "OFFSET_MISMATCH")
      return error.nextOffset ?? -1;
    throw error;
  }
}

/** Synchronous: nothing is applied between what is read and where the end is. */
function read(log: ServedLog, from: number, recordsMax: number): object {
  const { nextOffset: end } = log.status();
  if (from >= end || recordsMax === 0) return { values: [], end: from >= end ? end : null };
  const values: number[] = [];
  let next = from;
  while (values.length < recordsMax && next < end) {
    const { records } = log.read(next, { maxBytes: READ_BYTES_MAX });
    // What follows cannot be read now: what came before it was found nevertheless.
    if (records.length === 0) break;
    for (const { data } of records.slice(0, recordsMax - values.length))
      values.push(JSON.parse(Buffer.from(data).toString()) as number);
    next = from + values.length;
  }
  return { values, end: next === end ? end : null };
}

function recordOf(input: CallInput): Buffer {
  const bytes = input.optionalCount("bytes") ?? 0;
  return Buffer.from(String(input.count("value")).padEnd(bytes, FILLER));
}
