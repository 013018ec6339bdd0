// Goal: the fuzzers run, find nothing in a short time, and are the same for the same seed.
// Method: some seeds of each; the long runs are `npm run fuzz`.

import * as protocol from "@quorumlog/protocol";
import { Prng } from "@quorumlog/std";
import { expect, onTestFinished, test } from "vitest";
import { mutateBatch, validBatch } from "../src/batch-mutator.ts";
import { mutateBytes } from "../src/byte-mutator.ts";
import { PortFuzzer, runApply } from "../src/index.ts";
import { mutateMessage } from "../src/message-mutator.ts";
import { brokerSamples, nameServerSamples } from "../src/ports/sample-requests.ts";

test("damaged records: apply is total, the same everywhere, and goes on from a snapshot", () => {
  const runs = Array.from({ length: 60 }, (_, i) => runApply(1 + i));

  for (const { records } of runs) expect(records).toBeGreaterThan(40);
  // Some of what is damaged is what a later version might have written.
  expect(runs.filter(({ stops }) => stops > 0).length).toBeGreaterThan(30);
}, 120_000);

test("damaged bytes, frames, messages and batches at every port of a cluster", async () => {
  const fuzzer = await PortFuzzer.open();
  onTestFinished(() => fuzzer.close());

  for (let seed = 1; seed <= 3; seed++) await fuzzer.burst(seed);
}, 120_000);

test("a seed says what is mutated, and how", () => {
  const prngs = [new Prng(5), new Prng(5)];
  const drawn = prngs.map((prng) => {
    const batch = validBatch(prng, { topicId: 1, queue: 2 });
    return [mutateBatch(prng, batch), mutateBytes(prng, batch), mutateMessage(prng, batch)];
  });

  expect(drawn[0]).toEqual(drawn[1]);
});

test("every method of every service has a request to begin with", () => {
  const services = Object.entries(protocol).filter(([name]) => name.endsWith("_SERVICE"));
  const methods = services.flatMap(([, service]) =>
    Object.values(service as Readonly<Record<string, { readonly path: string }>>),
  );
  const paths = new Set([...brokerSamples(1), ...nameServerSamples()].map(({ path }) => path));

  expect(methods.length).toBeGreaterThan(25);
  expect(methods.map(({ path }) => path).filter((path) => !paths.has(path))).toEqual([]);
});
