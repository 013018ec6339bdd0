// Goal: whoever uses a session loses no append to a number that another one has, and no caller
// spoils the entry that it shares with others.
// Method: clusters in memory; a log that answers what a test says, for outcomes in any order.

import { afterEach, describe, expect, test } from "vitest";
import type { AppendAck, ReplicatedLog } from "../src/index.ts";
import { LogSession, type SessionLog } from "../src/log-session.ts";
import { notLeader, ReplicaError } from "../src/replica-error.ts";
import { startCluster, type TestCluster } from "../src/testing/index.ts";

const clusters: TestCluster[] = [];

async function leader(): Promise<ReplicatedLog> {
  const cluster = await startCluster({ nodes: 1 });
  clusters.push(cluster);
  return cluster.leader();
}

afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster.close();
});

function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

function texts(log: ReplicatedLog): string[] {
  return log.read(0).records.map(({ data }) => Buffer.from(data).toString());
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof ReplicaError ? error.code : "none";
}

/** A session whose appends are answered from a list: by an error, or with success. */
function scripted(answers: readonly (ReplicaError | undefined)[]): {
  readonly session: LogSession;
  readonly sequences: readonly number[];
} {
  const sequences: number[] = [];
  const log: SessionLog = {
    appendAs: (_data, _options, { sequence }) => {
      const error = answers[sequences.length];
      sequences.push(sequence);
      return error === undefined ? Promise.resolve({} as AppendAck) : Promise.reject(error);
    },
    closeSession: () => Promise.resolve(),
  };
  return { session: new LogSession({ log, sessionId: 7, nextSequence: 1 }), sequences };
}

const UNKNOWN = new ReplicaError("TIMEOUT", "over", { outcome: "unknown" });
const REFUSED = notLeader(2);

/** A session whose appends are answered when the test says so, each by its place. */
function heldBack(): {
  readonly session: LogSession;
  readonly sequences: readonly number[];
  readonly answer: (place: number, error?: ReplicaError) => void;
} {
  const sequences: number[] = [];
  const answers: ((error: ReplicaError | undefined) => void)[] = [];
  const log: SessionLog = {
    appendAs: (_data, _options, { sequence }) => {
      sequences.push(sequence);
      return new Promise((resolve, reject) => {
        answers.push((error) => {
          if (error === undefined) resolve({} as AppendAck);
          else reject(error);
        });
      });
    },
    closeSession: () => Promise.resolve(),
  };
  const session = new LogSession({ log, sessionId: 7, nextSequence: 5 });
  return { session, sequences, answer: (place, error) => answers[place]?.(error) };
}

const GAP = new ReplicaError("SEQUENCE_GAP", "one is missing");

describe("a number that is repeated", () => {
  test("is not given to another append when one behind it meets a gap", async () => {
    const { session, sequences, answer } = heldBack();
    const first = session.append(bytes("a"));
    const second = session.append(bytes("b"));
    answer(0, REFUSED);
    expect(await codeOf(first)).toBe("NOT_LEADER");
    const repeated = session.append(bytes("a"), { sequence: 5 });
    answer(2);
    expect(await codeOf(repeated)).toBe("none");
    answer(1, GAP);
    expect(await codeOf(second)).toBe("SEQUENCE_GAP");

    void session.append(bytes("b"));
    expect(sequences).toEqual([5, 6, 5, 6]);
  });

  test("is free again when it met a gap: no append of it was ever stored", async () => {
    const { session, sequences, answer } = heldBack();
    const first = session.append(bytes("a"));
    const second = session.append(bytes("b"));
    answer(0, REFUSED);
    answer(1, UNKNOWN);
    expect([await codeOf(first), await codeOf(second)]).toEqual(["NOT_LEADER", "TIMEOUT"]);
    const repeated = session.append(bytes("b"), { sequence: 6 });
    answer(2, GAP);
    expect(await codeOf(repeated)).toBe("SEQUENCE_GAP");

    void session.append(bytes("a"));
    expect(sequences).toEqual([5, 6, 6, 5]);
  });

  test("stays taken when the repetition was refused: an earlier one may have used it", async () => {
    const { session, sequences } = scripted([UNKNOWN, REFUSED, undefined, undefined]);

    await codeOf(session.append(bytes("a")));
    await codeOf(session.append(bytes("a"), { sequence: 1 }));
    await session.append(bytes("a"), { sequence: 1 });
    await session.append(bytes("b"));

    expect(sequences).toEqual([1, 1, 1, 2]);
  });

  test("does not swallow what is appended next", async () => {
    const log = await leader();
    const session = await log.openSession();
    await session.append(bytes("a"));
    // As if the answer had been lost, and the repetition found a node that does not lead.
    const again = { sequence: 1, signal: AbortSignal.abort() };

    expect(await codeOf(session.append(bytes("a"), again))).toBe("ABORTED");
    await session.append(bytes("b"));

    expect(texts(log)).toEqual(["a", "b"]);
  });

  test("is not given again by a session that was resumed with it", async () => {
    const log = await leader();
    const { sessionId } = await log.openSession();
    const session = log.session(sessionId, 1);

    await session.append(bytes("a"), { sequence: 1 });
    await session.append(bytes("b"));

    expect(texts(log)).toEqual(["a", "b"]);
  });
});

describe("what is no number of a session is refused, and nothing beside it", () => {
  test.each([Number.NaN, 1.5, -1, 0, 2 ** 60])("sequence %s", async (sequence) => {
    const log = await leader();
    const session = await log.openSession();

    const [code] = await Promise.all([
      codeOf(session.append(bytes("a"), { sequence })),
      log.append(bytes("b")),
    ]);

    expect({ code, next: session.nextSequence }).toEqual({ code: "INVALID_ARGUMENT", next: 1 });
    expect(texts(log)).toEqual(["b"]);
  });

  test.each([
    [Number.NaN, 1],
    [1.5, 1],
    [0, 1],
    [1, 0],
    [1, Number.NaN],
  ])("session %s, next sequence %s", async (sessionId, nextSequence) => {
    const log = await leader();

    expect(() => log.session(sessionId, nextSequence)).toThrow(/sessionId|sequence/u);
  });
});

test.each(["leader", "async"] as const)(
  "to compare and append needs a quorum, not %s",
  async (durability) => {
    const log = await leader();

    const code = await codeOf(log.append(bytes("a"), { durability, expectedOffset: 0 }));

    expect(code).toBe("INVALID_ARGUMENT");
  },
);

test("a durability that there is not is refused", async () => {
  const log = await leader();
  const durability = "Quorum" as "quorum";

  expect(await codeOf(log.append(bytes("a"), { durability }))).toBe("INVALID_ARGUMENT");
});
