// Goal: that nobody can be elected, as too many voters are suspect, is said once, by every node,
// and only when it is sure.

import { EMPTY_CONFIGURATION } from "@quorumlog/raft";
import { expect, test } from "vitest";
import type { HealthReport } from "../src/node-health.ts";
import { decodeEnvelope, encodeEnvelope } from "../src/peer-envelope.ts";
import { type SuspicionView, SuspicionWatch } from "../src/suspicion-watch.ts";

const WELL: HealthReport = {
  isFull: false,
  isExhausted: false,
  isCrowded: false,
  isSlow: false,
  isDamaged: false,
  isSuspect: false,
  isCatchingUp: false,
  rulesVersion: 0,
};
const SUSPECT: HealthReport = { ...WELL, isSuspect: true };

function members(...ids: number[]): { id: number; incarnation: number }[] {
  return ids.map((id) => ({ id, incarnation: 1 }));
}

function view(reports: [number, HealthReport][], more: Partial<SuspicionView> = {}): SuspicionView {
  const configuration = { ...EMPTY_CONFIGURATION, voters: members(1, 2, 3) };
  const common = { nodeId: 1, leaderId: undefined, configuration, own: WELL };
  return { ...common, reports: new Map(reports), ...more };
}

test("a majority that is suspect is told of, once each time", () => {
  const watch = new SuspicionWatch();
  const stuck = view([
    [2, SUSPECT],
    [3, SUSPECT],
  ]);
  expect(watch.look(stuck)).toEqual([2, 3]);
  expect(watch.look(stuck)).toBeUndefined();
  expect(watch.look(view([[2, SUSPECT]]))).toBeUndefined();
  expect(watch.look(stuck)).toEqual([2, 3]);
});

test.each<[string, SuspicionView]>([
  ["a minority is suspect", view([[2, SUSPECT]])],
  ["a leader lets them catch up", view([[2, SUSPECT]], { own: SUSPECT, leaderId: 3 })],
  ["others are not there, and may be well", view([], { own: SUSPECT })],
  [
    "those who are suspect do not vote anyway",
    view([
      [4, SUSPECT],
      [5, SUSPECT],
    ]),
  ],
])("nothing is told if %s", (_name, given) => {
  expect(new SuspicionWatch().look(given)).toBeUndefined();
});

test("one voter alone, and either half of a joint configuration, can be stuck", () => {
  const alone = { ...EMPTY_CONFIGURATION, voters: members(1) };
  const own = SUSPECT;
  expect(new SuspicionWatch().look(view([], { own, configuration: alone }))).toEqual([1]);
  const configuration = {
    ...EMPTY_CONFIGURATION,
    voters: members(1, 2, 3),
    votersOutgoing: members(1, 4),
  };
  expect(new SuspicionWatch().look(view([[4, SUSPECT]], { configuration }))).toEqual([4]);
});

test.each([
  WELL,
  SUSPECT,
  { ...SUSPECT, isFull: true, isSlow: true, isDamaged: true, isCatchingUp: true },
  { ...WELL, isExhausted: true },
  { ...WELL, isCrowded: true },
  { ...WELL, isCatchingUp: true },
  { ...WELL, isDamaged: true },
  { ...WELL, isSlow: true },
])("a report comes back from its frame as it was: %j", (report) => {
  const envelope = { kind: "health" as const, report, wallTime: 1_700_000_000_000 };
  expect(decodeEnvelope(Buffer.concat(encodeEnvelope(envelope)))).toEqual(envelope);
});
