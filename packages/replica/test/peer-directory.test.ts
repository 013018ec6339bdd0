// Goal: what was known of a life of a disk goes with it, and what its next life has said stays.
// Method: the directory alone, with a link that takes down what it is told.
import type { Configuration } from "@quorumlog/raft";
import { EMPTY_CONFIGURATION } from "@quorumlog/raft";
import type { GroupLink } from "@quorumlog/transport";
import { expect, test } from "vitest";
import type { HealthReport } from "../src/node-health.ts";
import { PeerDirectory } from "../src/peer-directory.ts";

class Link implements GroupLink {
  peers: ReadonlyMap<number, string> = new Map();

  setPeers(addresses: ReadonlyMap<number, string>): void {
    this.peers = addresses;
  }

  send(): boolean {
    return true;
  }

  isUp(): boolean {
    return true;
  }

  detach(): void {
    // Nothing is attached.
  }
}

const INTRODUCTION = {
  kind: "introduction",
  configuration: EMPTY_CONFIGURATION,
  isFounding: false,
  isQuestion: false,
} as const;

const FULL: HealthReport = {
  isFull: true,
  isExhausted: false,
  isCrowded: false,
  isSlow: false,
  isDamaged: false,
  isSuspect: false,
  isCatchingUp: false,
  rulesVersion: 0,
};

/** Nodes 1 and 2, and node 3 in a life of its disk, or not at all. */
function group(incarnation: number | undefined): Configuration {
  const third = incarnation === undefined ? [] : [{ id: 3, incarnation }];
  const voters = [{ id: 1, incarnation: 1 }, { id: 2, incarnation: 1 }, ...third];
  return { ...EMPTY_CONFIGURATION, voters };
}

function directory(): { peers: PeerDirectory; link: Link } {
  const link = new Link();
  const addresses = new Map([
    [1, "a:1"],
    [2, "b:1"],
  ]);
  const self = { nodeId: 1, incarnation: 1, addresses, link, wallTime: () => 0 };
  const peers = new PeerDirectory(self, group(7));
  peers.onState(group(7), new Map());
  peers.onIntroduction(3, { ...INTRODUCTION, incarnation: 7, address: "c:1" });
  expect(link.peers.get(3)).toBe("c:1");
  return { peers, link };
}

test("a node that was removed is forgotten", () => {
  const { peers, link } = directory();
  peers.onState(group(undefined), new Map());

  expect(peers.incarnationOf(3)).toBeUndefined();
  expect(link.peers.has(3)).toBe(false);
});

test("a node whose next life has introduced itself is not", () => {
  const { peers, link } = directory();
  peers.onIntroduction(3, { ...INTRODUCTION, incarnation: 8, address: "c:2" });
  peers.onState(group(undefined), new Map());

  expect(peers.incarnationOf(3)).toBe(8);
  expect(link.peers.get(3)).toBe("c:2");
});

test("a life that another one took the place of is forgotten, though the node is a member", () => {
  const { peers, link } = directory();
  peers.onHealth(3, FULL);
  peers.onState(group(8), new Map());

  expect(peers.incarnationOf(3)).toBeUndefined();
  expect(peers.healthReports.has(3)).toBe(false);
  expect(link.peers.get(3)).toBe("c:1");
});

test("what a member's disk is like counts", () => {
  const { peers } = directory();
  peers.onHealth(3, FULL);
  expect(peers.healthReports).toEqual(new Map([[3, FULL]]));
});

test("what a new life of a disk has said does not count for the life that is a member", () => {
  const { peers } = directory();
  peers.onIntroduction(3, { ...INTRODUCTION, incarnation: 8, address: "c:1" });
  peers.onHealth(3, FULL);
  expect(peers.healthReports.has(3)).toBe(false);

  // Until it is the member.
  peers.onState(group(8), new Map());
  expect(peers.healthReports).toEqual(new Map([[3, FULL]]));
});

test("what a former life has said does not count for the one that is a member by now", () => {
  const { peers } = directory();
  peers.onHealth(3, FULL);
  // The new life was heard of before the connection of the old one was lost.
  peers.onPeerUp(3);
  peers.onIntroduction(3, { ...INTRODUCTION, incarnation: 8, address: "c:2" });
  peers.onState(group(8), new Map());

  expect(peers.incarnationOf(3)).toBe(8);
  expect(peers.healthReports.has(3)).toBe(false);
});

test("a report of a node that has not said who it is says nothing of anybody", () => {
  const { peers } = directory();
  peers.onPeerUp(3);
  peers.onHealth(3, FULL);
  expect(peers.healthReports.has(3)).toBe(false);
});
