// Goal: leadership moves on request, quickly, without losing proposals, and stays if it cannot
// move. Method: groups for transfers that work, single leaders for those that do not.
// Thesis §3.10 (leadership transfer extension).

import { describe, expect, test } from "vitest";
import { Cluster } from "./kit/cluster.ts";
import { commands } from "./kit/entries.ts";
import { configurationOf, singleChange } from "./kit/members.ts";
import * as build from "./kit/messages.ts";
import { acknowledgement, follower, leader } from "./kit/roles.ts";

const LEASES = { checkQuorum: true, preVote: true };

function group(init: ConstructorParameters<typeof Cluster>[0] = {}): Cluster {
  const cluster = new Cluster(init);
  cluster.campaign(1);
  return cluster;
}

function transfer(cluster: Cluster, from: number, to: number): boolean {
  const accepted = cluster.node(from).core.transferLeadership(to);
  cluster.deliver();
  return accepted;
}

describe("leadership moves", () => {
  test.each([{}, LEASES])("to a follower that is up to date, at once, with %o", (options) => {
    const cluster = group({ options });
    expect(transfer(cluster, 1, 2)).toBe(true);
    expect(cluster.leader().id).toBe(2);
    expect(cluster.leader().term).toBe(2);
  });

  test("by way of a follower that is asked", () => {
    const cluster = group();
    expect(transfer(cluster, 3, 2)).toBe(true);
    expect(cluster.leader().id).toBe(2);
  });

  test("to a follower that has to catch up first", () => {
    const cluster = group();
    cluster.isolate(3);
    cluster.propose(1, "a");
    cluster.propose(1, "b");
    cluster.heal();
    transfer(cluster, 1, 3);
    expect(cluster.leader().id).toBe(3);
    expect(commands(cluster.node(3).applied)).toEqual(["a", "b"]);
  });

  test("to a follower that needs a snapshot first", () => {
    const cluster = group();
    cluster.isolate(3);
    cluster.propose(1, "a");
    cluster.node(1).compact();
    cluster.heal();
    transfer(cluster, 1, 3);
    cluster.tick(1, 2);
    expect(cluster.leader().id).toBe(3);
  });

  test("without the delay of a pre-vote, past followers that hear their leader", () => {
    const cluster = group({ options: LEASES });
    transfer(cluster, 1, 2);
    const types = cluster.delivered.map(({ type }) => type);
    expect(types).toContain("TimeoutNow");
    expect(types.slice(types.indexOf("TimeoutNow"))).not.toContain("RequestPreVote");
  });

  test("there and back", () => {
    const cluster = group();
    transfer(cluster, 1, 2);
    transfer(cluster, 2, 1);
    expect(cluster.leader()).toMatchObject({ id: 1, term: 3 });
  });
});

describe("nothing happens", () => {
  test("when a leader is to hand over to itself", () => {
    const cluster = group();
    transfer(cluster, 1, 1);
    expect(cluster.leader()).toMatchObject({ id: 1, term: 1 });
    expect(cluster.node(1).core.status().transferee).toBeUndefined();
  });

  test.each([
    ["a stranger", 9],
    ["a learner", 4],
  ])("for %s", (_, id) => {
    const cluster = group({ roles: { voters: [1, 2, 3], learners: [4] } });
    expect(transfer(cluster, 1, id)).toBe(false);
    expect(cluster.leader()).toMatchObject({ id: 1, term: 1 });
    expect(cluster.node(1).propose("x").status).toBe("appended");
  });

  test("on a follower that knows no leader", () => {
    expect(follower().core.transferLeadership(2)).toBe(false);
  });

  test("to a node that is told to take over but is no voter", () => {
    const node = follower({ id: 9, configuration: configurationOf({ voters: [1, 2] }) });
    node.receive(build.timeoutNow({ to: 9 }));
    expect(node.core.status()).toMatchObject({ role: "follower", currentTerm: 1 });
  });

  test("to a leader that is told to take over", () => {
    const node = leader();
    node.receive(build.timeoutNow());
    expect(node.core.status()).toMatchObject({ role: "leader", currentTerm: 1 });
  });
});

describe("a transfer that does not come off", () => {
  test("is over after one election timeout, and the leader goes on", () => {
    const node = leader();
    node.propose("x");
    node.settle();
    // It has a whole election timeout, whenever it starts.
    node.tick(5);
    node.core.transferLeadership(2);
    expect(node.core.status().transferee).toBe(2);
    node.tick(9);
    expect(node.core.status().transferee).toBe(2);
    node.tick(1);
    expect(node.core.status()).toMatchObject({ role: "leader", transferee: undefined });
  });

  test("gives way to a second one, to another node", () => {
    const cluster = group();
    cluster.isolate(3);
    cluster.propose(1, "x");
    transfer(cluster, 1, 3);
    expect(cluster.node(1).core.status().transferee).toBe(3);
    transfer(cluster, 1, 2);
    expect(cluster.leader().id).toBe(2);
  });

  test("is not prolonged by a second one to the same node", () => {
    const node = leader();
    node.propose("x");
    node.settle();
    node.core.transferLeadership(2);
    node.tick(5);
    node.core.transferLeadership(2);
    node.tick(5);
    expect(node.core.status().transferee).toBeUndefined();
  });

  test("ends when the transferee is removed", () => {
    const node = leader();
    node.change(singleChange("remove", 3));
    node.settle();
    node.core.transferLeadership(3);
    node.receive(acknowledgement(node, 2));
    expect(node.core.status().transferee).toBeUndefined();
  });

  test("ends when the transferee becomes a learner", () => {
    const node = leader();
    node.change(singleChange("addLearner", 3));
    node.settle();
    node.core.transferLeadership(3);
    node.receive(acknowledgement(node, 2));
    expect(node.core.status().transferee).toBeUndefined();
  });

  test("ends when somebody else is elected", () => {
    const node = leader();
    node.propose("x");
    node.settle();
    node.core.transferLeadership(2);
    node.receive(build.requestVote({ from: 3, term: 2, lastLogIndex: 9, lastLogTerm: 1 }));
    expect(node.core.status()).toMatchObject({
      role: "follower",
      transferee: undefined,
      votedFor: 3,
    });
  });

  test("of which the transferee was told too late, after another leader: nothing happens", () => {
    const node = follower({ hardState: { currentTerm: 3 } });
    expect(node.core.step(build.timeoutNow({ term: 2 }))).toBe("stale-term");
    expect(node.role).toBe("follower");
  });

  test("tells the transferee once it has caught up, not before", () => {
    const node = leader();
    node.propose("a", "b");
    node.settle();
    node.core.transferLeadership(2);
    const told = build.ofType(node.receive(acknowledgement(node, 2, 2)), "TimeoutNow");
    expect(told).toEqual([]);
    expect(build.ofType(node.receive(acknowledgement(node, 2, 3)), "TimeoutNow")).toMatchObject([
      { to: 2, term: 1 },
    ]);
  });
});

describe("proposals during a transfer are parked", () => {
  const pending = { voters: [1, 2, 3] };

  function transferring(options = {}): ReturnType<typeof leader> {
    const node = leader({ options, configuration: configurationOf(pending) });
    node.propose("before");
    node.settle();
    node.core.transferLeadership(2);
    return node;
  }

  test("and do not grow the log that the transferee has to catch up with", () => {
    const node = transferring();
    const { lastIndex } = node;
    expect(node.propose("x")).toMatchObject({ status: "parked" });
    expect(node.lastIndex).toBe(lastIndex);
  });

  test("appended if the leader stays, in order, each told where", () => {
    const node = transferring();
    const tickets = ["x", "y"].map((text) => node.propose(text));
    node.tick(10);

    expect(node.parked.map(({ result }) => result)).toEqual([
      { firstIndex: 3, term: 1 },
      { firstIndex: 4, term: 1 },
    ]);
    expect(tickets).toEqual(node.parked.map(({ ticket }) => ({ status: "parked", ticket })));
    expect(commands(node.entries())).toEqual(["before", "x", "y"]);
  });

  test("given back if it goes, never appended", () => {
    const node = transferring();
    node.propose("x");
    node.receive(build.requestVote({ from: 2, term: 2, lastLogIndex: 2, lastLogTerm: 1 }));
    expect(node.parked).toMatchObject([{ result: "dropped" }]);
    expect(commands(node.entries())).toEqual(["before"]);
  });

  test("given back if the leader steps down within its term", () => {
    const node = transferring({ checkQuorum: true });
    node.propose("x");
    node.tick(30);
    expect(node.role).toBe("follower");
    // Whatever it appended before it gave up, nothing is told twice and nothing is lost track of.
    expect(node.parked).toHaveLength(1);
  });

  test("up to a number, then refused", () => {
    const node = transferring({ parkedCountMax: 1 });
    expect(node.propose("x").status).toBe("parked");
    expect(node.propose("y")).toMatchObject({ status: "dropped", reason: "overloaded" });
  });

  test("up to a number of bytes, then refused", () => {
    const node = transferring({ parkedBytesMax: 4 });
    expect(node.propose("12345")).toMatchObject({ status: "dropped", reason: "overloaded" });
    expect(node.propose("1234").status).toBe("parked");
    expect(node.propose("1").status).toBe("dropped");
  });

  test("and told apart when they do not fit any more afterwards", () => {
    const node = transferring({ uncommittedBytesMax: 80 });
    node.propose("12");
    node.propose("34567");
    node.tick(10);
    expect(node.parked.map(({ result }) => result)).toEqual([
      { firstIndex: 3, term: 1 },
      "dropped",
    ]);
  });

  test("but changes of membership are refused meanwhile", () => {
    const node = transferring();
    expect(node.change(singleChange("addVoter", 4))).toMatchObject({ status: "dropped" });
  });
});

test("a transfer that ends early lets a joint configuration be left", () => {
  const cluster = group();
  cluster.isolate(3);
  const { core } = cluster.node(1);
  core.proposeConfigurationChange({
    form: "set",
    transition: "implicit",
    changes: [{ operation: "remove", member: { id: 3, incarnation: 0 } }],
  });
  core.transferLeadership(3);
  cluster.deliver();
  const isJoint = (): boolean => core.status().configuration.votersOutgoing.length > 0;
  // In force while leadership is on the move, so leaving it has to wait.
  expect(isJoint()).toBe(true);

  core.transferLeadership(1);
  cluster.deliver();
  expect(isJoint()).toBe(false);
});
