// Goal: members come and go without ever letting two majorities decide apart from each other.
// Method: a leader that proposes and applies changes; groups where others must follow.
// Paper §6, thesis §4; Ongaro, raft-dev 2015 (single-server changes); etcd bd3c759, 477ebd8.

import { describe, expect, test } from "vitest";
import {
  type Configuration,
  type ConfigurationChange,
  decodeConfigurationChange,
  LEAVE_JOINT,
} from "../src/index.ts";
import { Cluster } from "./kit/cluster.ts";
import { commands, configurationEntry } from "./kit/entries.ts";
import { changeSet, configurationOf, members, type Roles, singleChange } from "./kit/members.ts";
import * as build from "./kit/messages.ts";
import { TestNode } from "./kit/node.ts";
import { acknowledgeAll, acknowledgement, follower, freshLeader, leader } from "./kit/roles.ts";

const ALONE = { configuration: configurationOf({ voters: [1] }) };

/** Lets everyone that is a voter now acknowledge, until nothing more follows from that. */
function commitAll(node: TestNode): void {
  for (let i = 0; i < 4; i++) acknowledgeAll(node);
}

function configuration(node: TestNode): Configuration {
  return node.core.status().configuration;
}

describe("a change, from proposal to the configuration in the end", () => {
  interface Row {
    readonly what: string;
    readonly change: ConfigurationChange;
    /** In force once the change is applied; where it differs from the end, it was joint. */
    readonly joint?: Roles;
    readonly end: Roles;
  }

  const rows: readonly Row[] = [
    { what: "one voter, short form", change: singleChange("addVoter", 2), end: { voters: [1, 2] } },
    {
      what: "one learner, short form",
      change: singleChange("addLearner", 2),
      end: { voters: [1], learners: [2] },
    },
    { what: "one voter", change: changeSet("auto", ["addVoter", 2]), end: { voters: [1, 2] } },
    {
      what: "one learner",
      change: changeSet("auto", ["addLearner", 2]),
      end: { voters: [1], learners: [2] },
    },
    { what: "nothing: an update", change: changeSet("auto", ["update", 1]), end: { voters: [1] } },
    {
      what: "one voter, to stay joint",
      change: changeSet("explicit", ["addVoter", 2]),
      joint: { voters: [1, 2], votersOutgoing: [1] },
      end: { voters: [1, 2], votersOutgoing: [1] },
    },
    {
      what: "one voter, joint, left by itself",
      change: changeSet("implicit", ["addVoter", 2]),
      joint: { voters: [1, 2], votersOutgoing: [1], autoLeave: true },
      end: { voters: [1, 2] },
    },
    {
      what: "two voters",
      change: changeSet("auto", ["addVoter", 2], ["addVoter", 3]),
      joint: { voters: [1, 2, 3], votersOutgoing: [1], autoLeave: true },
      end: { voters: [1, 2, 3] },
    },
    {
      what: "a voter and a learner",
      change: changeSet("auto", ["addVoter", 2], ["addLearner", 3]),
      joint: { voters: [1, 2], votersOutgoing: [1], learners: [3], autoLeave: true },
      end: { voters: [1, 2], learners: [3] },
    },
    {
      what: "the leader becomes a learner",
      change: changeSet("explicit", ["addLearner", 1], ["addVoter", 2]),
      joint: { voters: [2], votersOutgoing: [1], learnersNext: [1] },
      end: { voters: [2], votersOutgoing: [1], learnersNext: [1] },
    },
    {
      what: "two learners, to stay joint",
      change: changeSet("explicit", ["addLearner", 2], ["addLearner", 3]),
      joint: { voters: [1], votersOutgoing: [1], learners: [2, 3] },
      end: { voters: [1], votersOutgoing: [1], learners: [2, 3] },
    },
    {
      what: "two learners, joint, left by itself",
      change: changeSet("implicit", ["addLearner", 2], ["addLearner", 3]),
      joint: { voters: [1], votersOutgoing: [1], learners: [2, 3], autoLeave: true },
      end: { voters: [1], learners: [2, 3] },
    },
    {
      what: "a voter that takes the leader's place and gives it back",
      change: changeSet("auto", ["remove", 1], ["addVoter", 2], ["addVoter", 1]),
      joint: { voters: [1, 2], votersOutgoing: [1], autoLeave: true },
      end: { voters: [1, 2] },
    },
    {
      what: "a member that is not there is removed",
      change: changeSet("auto", ["remove", 9]),
      end: { voters: [1] },
    },
    {
      what: "a withdrawn change",
      change: changeSet("auto", ["addVoter", 0]),
      end: { voters: [1] },
    },
  ];

  test.each(rows)("$what", ({ change, joint, end }) => {
    const node = leader(ALONE);
    expect(node.change(change)).toMatchObject({ status: "appended", firstIndex: 2 });
    expect(configuration(node)).toEqual(configurationOf({ voters: [1] }));
    commitAll(node);

    const switched = node.eventsOf("configurationSwitched").map((event) => event.configuration);
    expect(switched).toContainEqual(configurationOf(joint ?? end));
    expect(configuration(node)).toEqual(configurationOf(end));
  });
});

describe("a change takes effect when it is applied", () => {
  test("not when it is appended, nor when it is committed", () => {
    const node = leader();
    node.change(singleChange("addVoter", 4));
    node.settle();
    node.core.step(acknowledgement(node, 2));
    const ready = node.take();
    expect(node.commitIndex).toBe(2);
    expect(configuration(node).voters).toHaveLength(3);
    if (ready?.apply !== undefined) node.apply(ready.apply);
    expect(configuration(node).voters).toHaveLength(4);
  });

  test("then the new member is probed at once", () => {
    const node = leader(ALONE);
    node.change(singleChange("addVoter", 2));
    const sent = build.ofType(node.settle(), "AppendEntries");
    expect(sent.map(({ to }) => to)).toContain(2);
    expect(node.progressOf(2)).toMatchObject({ state: "probe", matchIndex: 0 });
  });

  test("then the larger quorum decides", () => {
    const node = leader(ALONE);
    node.change(singleChange("addVoter", 2));
    node.settle();
    node.propose("x");
    node.settle();
    expect(commands(node.applied)).toEqual([]);
    node.receive(acknowledgement(node, 2));
    expect(commands(node.applied)).toEqual(["x"]);
  });

  test("while joint both majorities decide, on entries and on votes", () => {
    const joint = configurationOf({ voters: [1, 2, 3], votersOutgoing: [1, 4, 5] });
    const node = leader({ configuration: joint });
    node.propose("x");
    node.settle();
    for (const from of [2, 3]) node.receive(acknowledgement(node, from));
    expect(commands(node.applied)).toEqual([]);
    node.receive(acknowledgement(node, 5));
    expect(commands(node.applied)).toEqual(["x"]);
  });
});

describe("one change at a time", () => {
  test("a second one waits until the first is applied; an empty entry takes its place", () => {
    const node = leader();
    node.change(singleChange("addVoter", 4));
    const second = node.change(singleChange("addVoter", 5));
    expect(second).toMatchObject({ status: "refused" });
    expect(second).toHaveProperty("reason", expect.stringContaining("unapplied conf change"));
    node.settle();
    expect(node.entries().at(-1)).toMatchObject({ kind: "normal", index: 3 });

    commitAll(node);
    expect(node.change(singleChange("addVoter", 5)).status).toBe("appended");
  });

  test("a new leader proposes none before its no-op is committed", () => {
    const node = freshLeader({ log: [1], hardState: { currentTerm: 1 } });
    expect(node.change(singleChange("addVoter", 4))).toMatchObject({ status: "refused" });
    commitAll(node);
    expect(node.change(singleChange("addVoter", 4)).status).toBe("appended");
  });

  test.each([
    [
      "must transition out of joint",
      { voters: [1, 2], votersOutgoing: [1] },
      singleChange("addVoter", 3),
    ],
    ["not in joint state", { voters: [1] }, LEAVE_JOINT],
    ["removed all voters", { voters: [1] }, singleChange("remove", 1)],
    ["exactly 1", { voters: [1] }, { ...LEAVE_JOINT, form: "single" as const }],
  ])("refused: %s", (words, roles, change) => {
    const node = leader({ configuration: configurationOf(roles) });
    const result = node.change(change);
    expect(result).toMatchObject({ status: "refused", reason: expect.stringContaining(words) });
  });

  test("a refused change counts for nothing: the next that fits is taken", () => {
    const node = leader(ALONE);
    node.change(singleChange("remove", 1));
    expect(node.change(singleChange("addVoter", 2)).status).toBe("appended");
  });

  test("without validation the log takes all, and what does not fit changes nothing", () => {
    const node = leader({ ...ALONE, options: { validateConfigurationChanges: false } });
    node.change(singleChange("addLearner", 2));
    expect(node.change(LEAVE_JOINT).status).toBe("appended");
    expect(node.change(singleChange("remove", 1)).status).toBe("appended");
    commitAll(node);
    expect(configuration(node)).toEqual(configurationOf({ voters: [1], learners: [2] }));
  });

  test("on a follower it is dropped with a hint", () => {
    const node = follower();
    node.receive(build.heartbeat({ from: 3 }));
    expect(node.change(singleChange("addVoter", 4))).toEqual({
      status: "dropped",
      reason: "not-leader",
      leaderId: 3,
    });
  });
});

function leaves(node: TestNode): number {
  const decoded = node.entries().filter(({ kind }) => kind === "configuration");
  return decoded.filter(({ data }) => decodeConfigurationChange(data)?.changes.length === 0).length;
}

describe("leaving a joint configuration by itself", () => {
  const change = changeSet("implicit", ["addVoter", 2]);

  test("is proposed once, when the joint state is applied", () => {
    const node = leader(ALONE);
    node.change(change);
    node.settle();
    expect(leaves(node)).toBe(1);
    node.propose("x");
    node.tick(5);
    commitAll(node);
    expect(leaves(node)).toBe(1);
    expect(configuration(node)).toEqual(configurationOf({ voters: [1, 2] }));
  });

  test("is not proposed again while other entries are applied", () => {
    const node = leader({ ...ALONE, options: { applyingBytesMax: 1 } });
    node.change(change);
    node.propose("x", "y");
    node.settle();
    expect(commands(node.applied)).toEqual(["x", "y"]);
    expect(leaves(node)).toBe(1);
  });

  test("is taken over by the next leader, which finds the state joint", () => {
    const joint = configurationOf({ voters: [1, 2], votersOutgoing: [1], autoLeave: true });
    const node = leader({ configuration: joint });
    expect(leaves(node)).toBe(1);
    commitAll(node);
    expect(configuration(node)).toEqual(configurationOf({ voters: [1, 2] }));
  });

  test("is not proposed by a follower", () => {
    const joint = configurationOf({ voters: [1, 2], votersOutgoing: [1], autoLeave: true });
    const node = follower({ configuration: joint, log: [1], hardState: { currentTerm: 1 } });
    node.receive(build.heartbeat({ leaderCommit: 1 }));
    expect(node.lastIndex).toBe(1);
  });

  test("waits for the end of a leadership transfer, and then happens", () => {
    const node = leader(ALONE);
    node.change(changeSet("explicit", ["addVoter", 2]));
    commitAll(node);
    const joint = configurationOf({ voters: [1, 2], votersOutgoing: [1], autoLeave: true });
    const other = freshLeader({ configuration: joint });
    other.core.transferLeadership(2);
    other.receive(acknowledgement(other, 2));
    expect(leaves(other)).toBe(0);
    other.tick(10);
    expect(leaves(other)).toBe(1);
  });

  test("an explicit joint state waits for the word", () => {
    const node = leader(ALONE);
    node.change(changeSet("explicit", ["addVoter", 2]));
    commitAll(node);
    expect(leaves(node)).toBe(0);
    expect(node.change(LEAVE_JOINT).status).toBe("appended");
    commitAll(node);
    expect(configuration(node)).toEqual(configurationOf({ voters: [1, 2] }));
  });

  test("fits whatever the limit on uncommitted bytes says", () => {
    const node = leader({ ...ALONE, options: { uncommittedBytesMax: 1 } });
    node.change(change);
    node.propose("more than the limit");
    node.settle();
    expect(leaves(node)).toBe(1);
  });
});

describe("a leader that removes itself", () => {
  test("leads until the change is applied, then steps down", () => {
    const node = leader();
    node.change(singleChange("remove", 1));
    node.settle();
    expect(node.role).toBe("leader");
    commitAll(node);
    expect(node.role).toBe("follower");
    node.timeOut();
    expect(node.role).toBe("follower");
  });

  test("or becomes a learner", () => {
    const node = leader();
    node.change(singleChange("addLearner", 1));
    node.settle();
    commitAll(node);
    expect(node.role).toBe("follower");
  });

  test("while it leaves, does not count itself", () => {
    // Still an outgoing voter, no incoming one: the incoming two must both agree.
    const joint = configurationOf({ voters: [2, 3], votersOutgoing: [1, 2, 3] });
    const node = leader({ configuration: joint });
    node.propose("x");
    node.settle();
    node.receive(acknowledgement(node, 2));
    expect(commands(node.applied)).toEqual([]);
    node.receive(acknowledgement(node, 3));
    expect(commands(node.applied)).toEqual(["x"]);
  });

  test("told not to step down, leads on but takes no proposals", () => {
    const node = leader({ options: { stepDownOnRemoval: false } });
    node.change(singleChange("remove", 1));
    node.settle();
    commitAll(node);
    expect(node.role).toBe("leader");
    expect(node.propose("x")).toMatchObject({ status: "dropped", reason: "removed" });
    expect(node.change(singleChange("addVoter", 1))).toMatchObject({ reason: "removed" });
    expect(build.ofType(node.tick(), "Heartbeat").map(({ to }) => to)).toEqual([2, 3]);
  });

  test("leaves a group that elects another", () => {
    const cluster = new Cluster();
    cluster.campaign(1);
    cluster.node(1).change(singleChange("remove", 1));
    cluster.deliver();
    cluster.campaign(2);
    expect(cluster.leader().id).toBe(2);
    expect(configuration(cluster.node(3)).voters).toEqual(members(2, 3));
  });
});

describe("a member that is removed", () => {
  test("is sent nothing more, and its answers count no more", () => {
    const node = leader();
    node.change(singleChange("remove", 3));
    node.settle();
    node.receive(acknowledgement(node, 2));
    node.propose("x");
    expect(node.settle().map(({ to }) => to)).toEqual([2]);
    expect(node.core.step(acknowledgement(node, 3))).toBe("not-a-member");
    expect(node.core.progress().map(({ id }) => id)).toEqual([1, 2]);
  });

  test("and added again starts anew", () => {
    const node = leader();
    node.change(singleChange("remove", 3));
    node.settle();
    commitAll(node);
    node.change(singleChange("addVoter", 3));
    node.settle();
    node.receive(acknowledgement(node, 2));
    expect(node.progressOf(3)).toMatchObject({ matchIndex: 0, state: "probe" });
  });
});

describe("incarnations: a node that lost its disk is another node", () => {
  const back = configurationOf({ voters: [1, 2, 3] });
  const renewed = { ...back, voters: [...members(1, 2), { id: 3, incarnation: 1 }] };

  test("the answers of the life that was removed do not count for the one that was added", () => {
    const node = leader({ configuration: renewed });
    node.propose("x");
    node.settle();
    const old = build.appendReply({ from: 3, term: node.term, index: 2, fromIncarnation: 0 });
    expect(node.core.step(old)).toBe("stale-incarnation");
    expect(node.commitIndex).toBe(1);
    node.receive({ ...old, fromIncarnation: 1 });
    expect(node.commitIndex).toBe(2);
  });

  test("a learner replaced by its next life within one change starts anew", () => {
    const roles = { voters: [1, 2], learners: [3] };
    const node = leader({ configuration: configurationOf(roles) });
    node.receive(build.appendReply({ from: 3, term: 1, index: 1 }));
    expect(node.progressOf(3).matchIndex).toBe(1);
    node.change({
      form: "set",
      transition: "explicit",
      changes: [
        { operation: "remove", member: { id: 3, incarnation: 0 } },
        { operation: "addLearner", member: { id: 3, incarnation: 1 } },
      ],
    });
    node.settle();
    commitAll(node);
    expect(node.progressOf(3)).toMatchObject({ matchIndex: 0, isLearner: true });
  });

  test("nor do its requests disturb", () => {
    const node = leader({ configuration: renewed });
    const old = build.requestVote({ from: 3, term: 9, fromIncarnation: 0 });
    expect(node.core.step(old)).toBe("stale-incarnation");
    expect(node.role).toBe("leader");
  });

  test("what was asked of its former life it does not answer", () => {
    const node = follower({ id: 3, incarnation: 1, configuration: renewed });
    const asked = build.requestVote({ to: 3, term: 5, toIncarnation: 0 });
    expect(node.core.step(asked)).toBe("stale-incarnation");
    expect(node.term).toBe(0);
  });

  test("it does not campaign in its former life's name", () => {
    const node = follower({ id: 3, incarnation: 1, configuration: back });
    node.timeOut();
    node.core.campaign();
    expect(node.role).toBe("follower");
  });

  test("a node whose configuration lags is not deaf to a later life of a member", () => {
    const node = follower({ configuration: back });
    const sent = node.receive(
      build.requestVote({ from: 3, term: 5, fromIncarnation: 1, lastLogIndex: 9, lastLogTerm: 4 }),
    );
    expect(sent).toMatchObject([{ voteGranted: true, toIncarnation: 1 }]);
  });
});

test("a restarted node hands changes out again, and ends where it was", () => {
  const entries = [
    configurationEntry(1, 1, singleChange("addVoter", 2)),
    configurationEntry(1, 2, singleChange("addVoter", 3)),
  ];
  const node = new TestNode({ ...ALONE, entries, hardState: { currentTerm: 1, commitIndex: 2 } });
  expect(configuration(node).voters).toHaveLength(1);
  node.settle();
  expect(configuration(node)).toEqual(configurationOf({ voters: [1, 2, 3] }));
  node.restart();
  expect(configuration(node)).toEqual(configurationOf({ voters: [1, 2, 3] }));
});
