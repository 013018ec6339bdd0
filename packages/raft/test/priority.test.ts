// Goal: a preferred node usually leads, and the others only wait longer: nobody is kept from it.
// Method: election timeouts of nodes of different rank.
// Paper §5.2 (randomized timeouts, which this shifts).

import { describe, expect, test } from "vitest";
import { Cluster } from "./kit/cluster.ts";
import { configurationOf } from "./kit/members.ts";
import * as build from "./kit/messages.ts";
import { follower } from "./kit/roles.ts";

function timeouts(electionRank: number): { min: number; max: number } {
  let [min, max] = [Infinity, 0];
  for (let seed = 0; seed < 200; seed++) {
    const node = follower({ seed, options: { preVote: true, electionRank } });
    let ticks = 1;
    while (node.tick().length === 0) ticks += 1;
    [min, max] = [Math.min(min, ticks), Math.max(max, ticks)];
  }
  return { min, max };
}

describe("a rank", () => {
  test.each([
    [0, 10, 19],
    [1, 15, 24],
    [2, 20, 29],
    [16, 90, 99],
  ])("of %i: timeouts from %i to %i ticks", (rank, min, max) => {
    expect(timeouts(rank)).toEqual({ min, max });
  });

  test("is half of an odd election timeout, rounded down", () => {
    const options = { preVote: true, electionTicks: 3, electionRank: 1, leaseDriftTicks: 0 };
    const seen = new Set<number>();
    for (let seed = 0; seed < 60; seed++) {
      const node = follower({ seed, options });
      let ticks = 1;
      while (node.tick().length === 0) ticks += 1;
      seen.add(ticks);
    }
    expect([...seen].sort((a, b) => a - b)).toEqual([4, 5, 6]);
  });
});

function ranked(electionRank: number): { options: { preVote: boolean; electionRank: number } } {
  return { options: { preVote: true, electionRank } };
}

describe("in a group with one node of rank 0 and two of rank 2", () => {
  const roles = { voters: [1, 2, 3] };

  test("the preferred one is elected first", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const each = { 1: ranked(2), 2: { ...ranked(0), seed }, 3: ranked(2) };
      const cluster = new Cluster({ roles, each });
      while (!cluster.roles().includes("leader")) cluster.tickAll();
      expect(cluster.leader().id).toBe(2);
    }
  });

  test("another one is elected while it is away", () => {
    const cluster = new Cluster({ roles, each: { 1: ranked(2), 2: ranked(0), 3: ranked(2) } });
    cluster.isolate(2);
    for (let i = 0; i < 200 && !cluster.roles().includes("leader"); i++) cluster.tickAll();
    expect(cluster.roles()[1]).not.toBe("leader");
    expect(cluster.roles()).toContain("leader");
  });

  test("a rank does not make a worse log acceptable, nor keep a better one from office", () => {
    const cluster = new Cluster({
      roles,
      hardState: { currentTerm: 1 },
      each: { 1: { log: [1], ...ranked(2) }, 2: ranked(0), 3: { log: [1], ...ranked(2) } },
    });
    for (let i = 0; i < 200 && !cluster.roles().includes("leader"); i++) cluster.tickAll();
    expect(cluster.leader().id).not.toBe(2);
  });
});

test("a rank does not lengthen the promise that a follower gives its leader", () => {
  const node = follower({
    configuration: configurationOf({ voters: [1, 2, 3] }),
    options: { preVote: true, checkQuorum: true, electionRank: 16 },
  });
  node.receive(build.heartbeat());
  node.tick(10);
  const sent = node.receive(build.requestVote({ from: 3, term: 2 }));
  expect(sent).toMatchObject([{ voteGranted: true }]);
});
