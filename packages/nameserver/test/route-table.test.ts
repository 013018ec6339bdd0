// Goal: the routes are those of the newest views of the nodes that are there, whatever the order in
// which nodes register, are silent, leave and come back.
// Method: cases by hand, and random histories against a model that knows who truly led.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { GroupRoute } from "../src/cluster.ts";
import { RouteTable } from "../src/route-table.ts";
import { metadata, registration, view } from "./kit/registrations.ts";

function table(): RouteTable {
  return new RouteTable("shop");
}

function routeOf(routes: RouteTable, groupId = 1): GroupRoute | undefined {
  return routes.cluster().groups.find((group) => group.groupId === groupId);
}

test("a view of a higher term wins, and a late one of a lower term changes nothing", () => {
  const routes = table();
  routes.register(registration(1), 0);
  routes.register(registration(2, { group: view({ term: 2, leaderNodeId: 2 }) }), 1);
  const before = routes.cluster();

  routes.register(registration(1), 2);

  expect(routes.cluster()).toBe(before);
  expect(routeOf(routes)).toMatchObject({ term: 2, leaderNodeId: 2 });
});

test("within a term the leader's own view wins, and it alone takes it back", () => {
  const routes = table();
  routes.register(registration(2, { group: view({ leaderNodeId: 0 }) }), 0);
  routes.register(registration(3, { group: view({ leaderNodeId: 1, voterNodeIds: [1, 3] }) }), 0);
  expect(routeOf(routes)?.nodes.map(({ nodeId }) => nodeId)).toEqual([3]);

  routes.register(registration(1), 1);
  routes.register(registration(3, { group: view({ leaderNodeId: 1, voterNodeIds: [1, 3] }) }), 2);
  expect(routeOf(routes)?.nodes.map(({ nodeId }) => nodeId)).toEqual([1, 2, 3]);

  routes.register(registration(1, { group: view({ leaderNodeId: 0 }) }), 3);
  routes.register(registration(2), 4);
  expect(routeOf(routes)?.leaderNodeId).toBe(0);
});

test("of two that claim one term, the first stays", () => {
  const routes = table();
  routes.register(registration(1), 0);
  routes.register(registration(2, { group: view({ leaderNodeId: 2 }) }), 1);

  expect(routeOf(routes)?.leaderNodeId).toBe(1);
});

test("a group stays while it has a node, and with it the term", () => {
  const routes = table();
  routes.register(registration(1, { group: view({ term: 5 }) }), 0);
  routes.register(registration(2, { group: view({ term: 5 }) }), 0);

  routes.leave(1);
  routes.register(registration(1, { group: view({ term: 4 }) }), 1);
  expect(routeOf(routes)).toMatchObject({ term: 5, leaderNodeId: 1 });
  routes.leave(2);
  routes.leave(1);
  expect(routes.cluster().groups).toEqual([]);

  routes.register(registration(1, { group: view({ term: 1 }) }), 2);
  expect(routeOf(routes)?.term).toBe(1);
});

test("a node that the group has let go is not on its route; a learner is, and is no voter", () => {
  const routes = table();
  const group = view({ voterNodeIds: [1], learnerNodeIds: [2] });
  for (const id of [1, 2, 3]) routes.register(registration(id, { group }), 0);

  expect(routeOf(routes)?.nodes.map(({ nodeId, isVoter }) => [nodeId, isVoter])).toEqual([
    [1, true],
    [2, false],
  ]);
});

test("metadata stay when nodes leave, and never go back", () => {
  const routes = table();
  routes.register(registration(1, { metadata: metadata(2, "orders") }), 0);
  routes.register(registration(2, { metadata: metadata(1) }), 0);
  routes.leave(1);
  routes.leave(2);

  expect(routes.cluster().metadata).toEqual(metadata(2, "orders"));
  expect(routes.metadataVersion).toBe(2);
});

test("a node that moves to another group leaves the first one", () => {
  const routes = table();
  routes.register(registration(1), 0);
  routes.register(registration(1, { group: view({ groupId: 2, name: "broker-b" }) }), 1);

  expect(routes.cluster().groups.map(({ name }) => name)).toEqual(["broker-b"]);
});

type Step =
  | { readonly type: "elect"; readonly nodeId: number }
  | { readonly type: "register"; readonly nodeId: number; readonly age: number }
  | { readonly type: "heartbeat" | "leave"; readonly nodeId: number }
  | { readonly type: "pass"; readonly ms: number };

const nodeIds = fc.integer({ min: 1, max: 4 });
const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ type: fc.constant("elect" as const), nodeId: nodeIds }),
  fc.record({
    type: fc.constant("register" as const),
    nodeId: nodeIds,
    // How many terms ago it was when what it says was true.
    age: fc.integer({ min: 0, max: 3 }),
  }),
  fc.record({ type: fc.constantFrom("heartbeat" as const, "leave" as const), nodeId: nodeIds }),
  fc.record({ type: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 60 }) }),
);
const EXPIRY_MS = 100;

test("whatever happens: live nodes only, no term goes back, a term has its leader or none", () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 60 }), (history) => {
      const routes = table();
      /** Who led each term, by its position. */
      const leaders = [1];
      const heard = new Map<number, number>();
      let nowMs = 0;
      let termBefore = 0;
      let newestSaid = 0;
      for (const step of history) {
        if (step.type === "elect") leaders.push(step.nodeId);
        else if (step.type === "pass") {
          nowMs += step.ms;
          routes.expire(nowMs - EXPIRY_MS);
          for (const [id, ms] of heard) if (ms < nowMs - EXPIRY_MS) heard.delete(id);
        } else if (step.type === "leave") {
          routes.leave(step.nodeId);
          heard.delete(step.nodeId);
        } else if (step.type === "register" || heard.has(step.nodeId)) {
          const term = Math.max(0, leaders.length - 1 - ("age" in step ? step.age : 0));
          const leaderNodeId = leaders[term] as number;
          const group = view({ term, leaderNodeId, voterNodeIds: [1, 2, 3, 4] });
          const said = registration(step.nodeId, { group });
          const isWhole = step.type === "register";
          routes.register(isWhole ? said : { ...said, group: undefined }, nowMs);
          heard.set(step.nodeId, nowMs);
          if (isWhole) newestSaid = Math.max(newestSaid, term);
        }
        if (heard.size === 0) {
          termBefore = 0;
          newestSaid = 0;
        }
        const route = routeOf(routes);
        const alive = route?.nodes.map(({ nodeId }) => nodeId) ?? [];
        expect(new Set(alive)).toEqual(new Set(heard.keys()));
        if (route === undefined) continue;
        expect(route.term).toBe(newestSaid);
        expect(route.term).toBeGreaterThanOrEqual(termBefore);
        termBefore = route.term;
        const leader = leaders[route.term] as number;
        expect(route.leaderNodeId).toBe(heard.has(leader) ? leader : 0);
        if (route.leaderNodeId !== 0) expect(alive[0]).toBe(leader);
        expect(routes.cluster()).toBe(routes.cluster());
      }
    }),
    { numRuns: 500 },
  );
});

test("where a member was is told while it is down, and forgotten with its membership", () => {
  const routes = table();
  for (const nodeId of [1, 2, 3]) routes.register(registration(nodeId), 0);
  const { address } = routeOf(routes)?.nodes.find(({ nodeId }) => nodeId === 2) ?? {};
  expect(routeOf(routes)?.absentNodes).toBeUndefined();

  routes.leave(2);
  expect(routeOf(routes)?.absentNodes).toEqual([{ nodeId: 2, address, isVoter: true }]);

  routes.register(registration(2), 1);
  expect(routeOf(routes)?.absentNodes).toBeUndefined();

  routes.leave(2);
  routes.register(registration(1, { group: view({ term: 2, voterNodeIds: [1, 3] }) }), 2);
  expect(routeOf(routes)?.absentNodes).toBeUndefined();
});
