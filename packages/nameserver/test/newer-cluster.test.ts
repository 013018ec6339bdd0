// Goal: a client never loses a route to a NameServer that knows less than it does.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Cluster, GroupRoute } from "../src/cluster.ts";
import { newerCluster } from "../src/newer-cluster.ts";
import { metadata } from "./kit/registrations.ts";

const pushed = { isPushed: true };
const asked = { isPushed: false };

function cluster(term: number, leaderNodeId: number, ...nodeIds: readonly number[]): Cluster {
  const group: GroupRoute = {
    groupId: 1,
    name: "broker-a",
    term,
    leaderNodeId,
    nodes: nodeIds.map((id) => ({ nodeId: id, address: `127.0.0.1:${id}`, isVoter: true })),
  };
  return { clusterId: "shop", groups: [group], metadata: undefined };
}

test("nothing newer is the same object", () => {
  const known = { ...cluster(2, 1, 1, 2), metadata: metadata(4, "orders") };

  expect(newerCluster(known, known, pushed)).toBe(known);
  expect(newerCluster(known, cluster(1, 2, 2, 1), pushed)).toBe(known);
  expect(newerCluster(known, { ...known, metadata: metadata(3) }, pushed)).toBe(known);
  expect(newerCluster(known, { ...known, groups: [], metadata: undefined }, pushed)).toBe(known);
});

test("a higher term wins, whoever has told it", () => {
  const known = cluster(2, 1, 1, 2);
  const told = cluster(3, 2, 2, 1);

  expect(newerCluster(known, told, asked).groups).toEqual(told.groups);
  expect(newerCluster(known, told, pushed).groups).toEqual(told.groups);
});

test("the leader of a term stays its leader, for one who has not heard of it", () => {
  const known = cluster(2, 1, 1, 2, 3);

  expect(newerCluster(known, cluster(2, 0, 3), pushed).groups).toEqual(cluster(2, 1, 1, 3).groups);
  expect(newerCluster(known, cluster(2, 0, 3), asked)).toBe(known);
});

test("within a term, nodes are those that the NameServer that is watched knows", () => {
  const known = cluster(2, 1, 1, 2);
  const told = cluster(2, 1, 1, 2, 3);

  expect(newerCluster(known, told, pushed).groups).toEqual(told.groups);
  expect(newerCluster(known, told, asked)).toBe(known);
  expect(newerCluster(cluster(2, 0, 2), told, asked).groups).toEqual(told.groups);
});

test("a group more, and newer metadata, are taken in beside what is known", () => {
  const known = { ...cluster(2, 1, 1), metadata: metadata(1) };
  const [group] = cluster(1, 7, 7).groups as [GroupRoute];
  const told = { ...known, groups: [{ ...group, groupId: 2 }], metadata: metadata(2, "orders") };

  const newer = newerCluster(known, told, asked);

  expect(newer.groups.map(({ groupId }) => groupId)).toEqual([1, 2]);
  expect(newer.metadata?.version).toBe(2);
});

/** What NameServers may say that know a little or a lot, of now or of then. */
const toldClusters = fc.record({
  groups: fc.uniqueArray(
    fc.record({
      groupId: fc.integer({ min: 1, max: 3 }),
      term: fc.integer({ min: 1, max: 5 }),
      isLeaderKnown: fc.boolean(),
    }),
    { selector: ({ groupId }) => groupId },
  ),
  version: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
  isPushed: fc.boolean(),
});

test("whatever is said: no term and no version goes back, no group and no leader is lost", () => {
  fc.assert(
    fc.property(fc.array(toldClusters, { minLength: 1, maxLength: 30 }), (history) => {
      let known: Cluster | undefined;
      for (const { groups, version, isPushed } of history) {
        const told: Cluster = {
          clusterId: "shop",
          groups: groups.map(({ groupId, term, isLeaderKnown }) => {
            const [group] = cluster(term, isLeaderKnown ? term : 0, term, 9).groups;
            return { ...(group as GroupRoute), groupId };
          }),
          metadata: version === undefined ? undefined : metadata(version),
        };
        const before = known;
        const newer = newerCluster(before, told, { isPushed });
        known = newer;

        for (const { groupId, term, leaderNodeId } of before?.groups ?? []) {
          const group = newer.groups.find((other) => other.groupId === groupId);
          expect(group?.term).toBeGreaterThanOrEqual(term);
          if (group?.term === term && leaderNodeId !== 0)
            expect(group).toMatchObject({ leaderNodeId, nodes: [{ nodeId: leaderNodeId }, {}] });
        }
        expect(newer.metadata?.version ?? 0).toBe(
          Math.max(before?.metadata?.version ?? 0, version ?? 0),
        );
        // Said again, it is no news.
        expect(newerCluster(newer, told, { isPushed: false })).toBe(newer);
      }
    }),
    { numRuns: 500 },
  );
});
