// Goal: a number stands for one append for good, whatever became of it: two appends that shared one
// would be stored once, and both be acknowledged.
import { expect, test } from "vitest";
import { LogSession, type SessionLog } from "../src/log-session.ts";
import { type AppendAck, ReplicaError } from "../src/index.ts";

const ACK: AppendAck = {
  durability: "quorum",
  reached: "synced",
  offset: 0,
  count: 1,
  index: 2,
  term: 1,
  isDuplicate: false,
};
const UNKNOWN = new ReplicaError("TIMEOUT", "late", { outcome: "unknown" });
const NOT_APPLIED = new ReplicaError("NOT_LEADER", "elsewhere");

/** A session on a log that answers so, one append after another, and notes their numbers. */
function sessionWith(...answers: readonly (AppendAck | ReplicaError)[]) {
  const sequences: number[] = [];
  const log: SessionLog = {
    appendAs: (_data, _options, { sequence }) => {
      const answer = answers[sequences.length] ?? ACK;
      sequences.push(sequence);
      return answer instanceof ReplicaError ? Promise.reject(answer) : Promise.resolve(answer);
    },
    closeSession: () => Promise.resolve(),
  };
  return { session: new LogSession({ log, sessionId: 1, nextSequence: 1 }), sequences };
}

test("a repetition that was refused does not give its number to another append", async () => {
  const { session, sequences } = sessionWith(UNKNOWN, NOT_APPLIED, ACK);
  await expect(session.append(Buffer.from("first"))).rejects.toBe(UNKNOWN);
  await expect(session.append(Buffer.from("first"), { sequence: 1 })).rejects.toBe(NOT_APPLIED);

  await session.append(Buffer.from("second"));

  expect(sequences).toEqual([1, 1, 2]);
});

test("a first attempt that was refused does", async () => {
  const { session, sequences } = sessionWith(NOT_APPLIED, ACK);
  await expect(session.append(Buffer.from("first"))).rejects.toBe(NOT_APPLIED);

  await session.append(Buffer.from("second"));

  expect(sequences).toEqual([1, 1]);
});

test("a caller who says the next number has used it", async () => {
  const { session, sequences } = sessionWith();
  await session.append(Buffer.from("first"), { sequence: 1 });

  await session.append(Buffer.from("second"));

  expect(sequences).toEqual([1, 2]);
});
