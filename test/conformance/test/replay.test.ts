// Goal: the replayer can fail: what a core does wrong, or a script expects wrong, is reported.
// Method: scripts that hold the truth, and the same with one thing changed.
import { describe, expect, test } from "vitest";
import { type Grammar, type Outcome, replay, withoutLog } from "../src/replay.ts";
import { parseScript, renderScript } from "../src/script.ts";

const SINGLE = `
add-nodes 1 voters=(1) index=3
----
INFO 1 switched to configuration voters=(1)
INFO 1 became follower at term 0
INFO newRaft 1 [peers: [1], term: 0, commit: 3, applied: 3, lastindex: 3, lastterm: 1]

campaign 1
----
INFO 1 is starting a new election at term 0
INFO 1 became candidate at term 1

process-ready 1
----
Ready MustSync=true:
Lead:0 State:StateCandidate
HardState Term:1 Vote:1 Commit:3
INFO 1 received MsgVoteResp from 1 at term 1
INFO 1 has received 1 MsgVoteResp votes and 0 vote rejections
INFO 1 became leader at term 1

raft-state
----
1: StateLeader (Voter) Term:1 Lead:1
`;

const CHANGES = `
simple
v1 l2
----
voters=(1) learners=(2)
1: StateProbe match=0 next=1
2: StateProbe match=0 next=1 learner

leave-joint
----
can't leave a non-joint config
`;

const QUORUM = `
committed cfg=(1,2,3) idx=(12,5,_)
----
       idx
xx>     12    (id=1)
x>       5    (id=2)
?        0    (id=3)
5

vote cfg=(1,2) cfgj=(3) votes=(y,y,n)
----
VoteLost
`;

const run = (text: string, grammar: Grammar = "interaction"): Outcome[] =>
  replay(parseScript(text), grammar);

describe("a script that holds the truth", () => {
  test.each([
    ["interaction", SINGLE],
    ["confchange", CHANGES],
    ["quorum", QUORUM],
  ] as const)("passes: %s", (grammar, text) => {
    const outcomes = run(text, grammar);

    expect(outcomes.length).toBeGreaterThan(0);
    expect(outcomes.every(({ isEqual, isEqualWithoutLog }) => isEqual && isEqualWithoutLog)).toBe(
      true,
    );
  });
});

describe("a script with a wrong expectation fails", () => {
  test.each([
    ["another term", SINGLE.replace("HardState Term:1", "HardState Term:2"), 2, "interaction"],
    ["a line too much", SINGLE.replace("MustSync=true:", "MustSync=true:\nx"), 2, "interaction"],
    ["a line too few", SINGLE.replace("Lead:0 State:StateCandidate\n", ""), 2, "interaction"],
    ["other spaces", SINGLE.replace("1: StateLeader", "1:  StateLeader"), 3, "interaction"],
    ["output where ok was expected", SINGLE.replace(/1: StateLeader.*/, "ok"), 3, "interaction"],
    ["another configuration", CHANGES.replace("learners=(2)", "learners=(3)"), 0, "confchange"],
    ["another problem", CHANGES.replace("non-joint", "joint"), 1, "confchange"],
    ["another index", QUORUM.replace("\n5\n", "\n12\n"), 0, "quorum"],
    ["another vote", QUORUM.replace("VoteLost", "VoteWon"), 1, "quorum"],
  ] as const)("%s", (_name, text, at, grammar) => {
    const outcomes = run(text, grammar);

    expect(outcomes.findIndex(({ isEqualWithoutLog }) => !isEqualWithoutLog)).toBe(at);
  });
});

describe("log lines", () => {
  test("are left out of the comparison that decides, at any depth", () => {
    const text = "> 1 handling Ready\n  Entries:\n  INFO 1 became x\n    DEBUG y\nWARN z\n";

    expect(withoutLog(text)).toBe("> 1 handling Ready\n  Entries:\n");
  });

  test("are not mistaken for what only looks like one", () => {
    const text = ' INFO one space\nINFORMATION\n1/3 EntryNormal "INFO x"\n';

    expect(withoutLog(text)).toBe(text);
  });

  test("alone are the same as no output", () => {
    expect(withoutLog("INFO x\n")).toBe(withoutLog("ok\n"));
  });

  test("that differ are told, and do not fail", () => {
    const outcomes = run(SINGLE.replace("became candidate", "became whatever"));

    expect(outcomes.map(({ isEqual }) => isEqual)).toEqual([true, false, true, true]);
    expect(outcomes.every(({ isEqualWithoutLog }) => isEqualWithoutLog)).toBe(true);
  });
});

describe("what cannot be done", () => {
  test.each([
    ["fly 1", "unknown command\n"],
    ["campaign 7", "there is no node 7\n"],
    ["campaign", "argument 1 is missing\n"],
    ["campaign x", "x is not a count\n"],
    ["add-nodes 1 votters=(1)", "unknown argument votters\n"],
    ["add-nodes 1 voters=(1)", "index must be specified as > 1 due to bootstrap\n"],
    ["log-level loud", "log levels must be either of [DEBUG INFO WARN ERROR FATAL NONE]\n"],
  ])("is told: %s", (command, output) => {
    const [, outcome] = run(`log-level none\n----\nok\n\n${command}\n----\nok\n`);

    expect(outcome?.actual).toBe(output);
    expect(outcome?.isEqualWithoutLog).toBe(false);
  });

  test("does not pass even if it is expected: a broken invariant", () => {
    // Two groups in one script: each is sound, and the two elect a leader of term 1 each.
    const script = `
add-nodes 1 voters=(1) index=2
----

add-nodes 1 voters=(2) index=2
----

campaign 1
----

campaign 2
----

stabilize
----
`;
    const outputs = run(script).map(({ actual }) => actual);

    const outcome = run(renderScript(parseScript(script), outputs)).at(-1);

    expect(outputs.at(-1)).toContain("1 and 2 are both leaders of term 1");
    expect(outcome).toMatchObject({ isPanic: true, isEqualWithoutLog: false });
  });
});
