// Goal: of a load at a fixed rate, figures are of the messages that were due since the mark, each
// from when it was due; those before it count nowhere, whenever they are acknowledged.
// Method: a system by hand that acknowledges when it is told to, and keeps when each was due.

import { expect, test, vi } from "vitest";
import { monotonicMs, readBody } from "../src/peers/peer-body.ts";
import type { PeerClient } from "../src/peers/peer-system.ts";
import { Publisher } from "../src/peers/publisher.ts";

const BODY_BYTES = 100;
const PER_SECOND = 1_000;

/** What was sent, and is acknowledged once {@link HeldClient.open} was called. */
class HeldClient implements PeerClient {
  readonly dueAts: number[] = [];
  readonly #opening: Promise<void>;
  open: () => void = () => undefined;

  constructor() {
    this.#opening = new Promise((resolve) => {
      this.open = resolve;
    });
  }

  send(_topic: string, body: Buffer): Promise<void> {
    this.dueAts.push(readBody(body, BODY_BYTES)?.dueAt ?? Number.NaN);
    return this.#opening;
  }

  read(): Promise<never> {
    return Promise.reject(new Error("nothing is read here"));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

test("what was due before the mark is acknowledged after it, and is in no figure", async () => {
  const client = new HeldClient();
  const publisher = new Publisher(client, "topic", BODY_BYTES);
  publisher.startPace(PER_SECOND);
  await vi.waitUntil(() => client.dueAts.length >= 20, { timeout: 20_000 });
  const markedAt = publisher.mark();
  const before = client.dueAts.length;
  await vi.waitUntil(() => client.dueAts.length >= before + 20, { timeout: 20_000 });
  const heldUntil = monotonicMs();
  client.open();
  const figures = await publisher.endPace();

  const measured = client.dueAts.filter((dueAt) => dueAt >= markedAt);
  expect(measured.length).toBeGreaterThan(0);
  expect(figures).toMatchObject({ messages: measured.length, failed: 0 });
  expect(publisher.pulse().acked).toBe(client.dueAts.length);
  expect(publisher.published).toEqual({ count: client.dueAts.length, unknown: [] });
  // None was acknowledged before all of them were: the median waited for as long as its place says.
  const middle = measured.toSorted((a, b) => b - a)[Math.floor(measured.length / 2)];
  const heldFor = heldUntil - Math.min(middle ?? Number.NaN, heldUntil);
  expect(figures.p50Ms).toBeGreaterThanOrEqual(heldFor);
  expect(figures.p99Ms).toBeGreaterThanOrEqual(figures.p50Ms);
});

test("each load has figures of its own", async () => {
  const client = new HeldClient();
  client.open();
  const publisher = new Publisher(client, "topic", BODY_BYTES);

  const figures = [await publisher.publish(2, 60_000, 10), await publisher.publish(2, 60_000, 30)];

  expect(figures.map(({ messages }) => messages)).toEqual([10, 30]);
  expect(publisher.published.count).toBe(40);
});
