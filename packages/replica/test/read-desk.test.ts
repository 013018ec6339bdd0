// Goal: a read is confirmed, however slow the group is to answer, and given up in time.
// Method: the desk by itself; the core is what it asks, and answers are given by hand.

import { expect, test } from "vitest";
import { ReadDesk } from "../src/read-desk.ts";
import type { ReplicaError } from "../src/replica-error.ts";

const RETRY_MS = 100;

class Asked {
  readonly contexts: number[] = [];
  readonly desk = new ReadDesk(
    {
      readIndex: (context) => {
        this.contexts.push(context);
        return true;
      },
      status: () => {
        throw new Error("nobody is asked who leads");
      },
    },
    RETRY_MS,
  );
  readonly answers: (number | string)[] = [];

  read(deadline: number): void {
    this.desk.ask(deadline, (error: ReplicaError | undefined, readIndex) =>
      this.answers.push(error?.code ?? readIndex),
    );
    this.desk.flush(0);
  }

  /** As a turn of the replica. */
  tick(now: number): void {
    this.desk.tick(now);
    this.desk.flush(now);
  }
}

test("an answer that takes longer than the next question is an answer", () => {
  const asked = new Asked();
  asked.read(10_000);
  for (let now = RETRY_MS; now <= 5 * RETRY_MS; now += RETRY_MS) asked.tick(now);
  const [first] = asked.contexts;

  asked.desk.onReadState({ context: first as number, readIndex: 7 }, 7);

  expect(asked.answers).toEqual([7]);
  expect(asked.contexts.length).toBeGreaterThan(1);
  expect(asked.desk.isIdle).toBe(true);
});

test("whichever question is answered first, a read is answered once", () => {
  const asked = new Asked();
  asked.read(10_000);
  asked.tick(RETRY_MS);
  const [first, second] = asked.contexts as [number, number];

  asked.desk.onReadState({ context: second, readIndex: 9 }, 8);
  asked.desk.onReadState({ context: first, readIndex: 7 }, 8);
  asked.desk.onApplied(9);

  expect(asked.answers).toEqual([7]);
});
