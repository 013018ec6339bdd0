// Goal: what the command line asks for is what runs, and what makes no sense is said at once.

import { FlagError } from "@quorumlog/std";
import { expect, test } from "vitest";
import { type Choices, commandOf, helpOf, parseRequest, type Request } from "../src/run/request.ts";

const CHOICES: Choices = {
  workloads: ["append", "queue", "register"],
  nemeses: ["kill", "pause", "mix"],
  defaults: { workloads: ["append", "queue"], nemeses: ["mix"] },
  checks: ["append", "kafka"],
};

function parsed(...argv: string[]): Request {
  return parseRequest(argv, CHOICES);
}

test("without flags it is the default run, with a seed of its own", () => {
  expect(parsed()).toMatchObject({
    kind: "run",
    workloads: ["append", "queue"],
    nemeses: ["mix"],
    nodeCount: 3,
    net: "proxy",
    disk: "unsynced",
    lazyfs: undefined,
    rate: undefined,
    out: "out/jepsen",
    isKept: false,
  });
});

test("the command that a run leaves asks for the same run", () => {
  const argv = ["--workload", "queue,register", "--nemesis", "kill", "--nodes", "5", "--net=netns"];
  const lazyfs = ["--disk", "lazyfs", "--lazyfs", "build/lazyfs"];
  const request = parsed(
    ...argv,
    ...lazyfs,
    "--time-limit",
    "30",
    "--rate",
    "7",
    "--lease-reads",
    "on",
  );
  if (request.kind !== "run") throw new Error("no run");

  const again = parsed(...commandOf(request).split(" ").slice(4));

  expect(again).toEqual(request);
});

test("all that is wrong is said at once", () => {
  const wrong = ["--workload", "append,quue", "--nemesis=x", "--nodes", "4", "--sed=1"];

  expect(() => parsed(...wrong)).toThrow(FlagError);
  expect(() => parsed(...wrong)).toThrow(
    /no flag --sed\n.*"4" is none of 3, 5\n.*"quue" is none of append.*\n.*"x" is none of kill/u,
  );
});

test("a file is checked, and a report written, without a run", () => {
  expect(parsed("--check", "a.jsonl", "--workload", "kafka")).toEqual({
    kind: "check",
    file: "a.jsonl",
    workload: "kafka",
  });
  expect(parsed("--report", "folder")).toEqual({ kind: "report", folder: "folder" });
  expect(() => parsed("--check", "a", "--seed", "1", "--workload", "queue")).toThrow(
    /--seed does not go with --check\n.*"queue" is none of append, kafka/u,
  );
  expect(() => parsed("--check", "a", "--report", "b")).toThrow("one at a time");
});

test("a suite goes on with the same seed, and takes no choice of cells", () => {
  expect(parsed("--suite", "full")).toEqual({
    kind: "suite",
    timeLimitS: 20,
    seed: 1,
    nodeCount: 3,
    net: "proxy",
    rate: undefined,
    out: "out/jepsen",
  });
  expect(parsed("--suite", "full", "--time-limit", "7")).toMatchObject({ timeLimitS: 7 });
  expect(() => parsed("--suite", "half", "--workload", "queue")).toThrow(
    /--suite: "half" is none of full\n--workload does not go with --suite/u,
  );
});

test("help tells every flag and choice", () => {
  const help = helpOf(CHOICES);

  expect(help).toContain("append, queue, register");
  expect(help).toContain("kill, pause, mix");
  expect(Math.max(...help.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  expect(parsed("--help", "--bad")).toEqual({ kind: "help" });
});

test("builds that are broken on purpose are asked for by themselves", () => {
  expect(parsed("--self-test", "--only", "ack", "--seed", "4")).toEqual({
    kind: "self-test",
    only: "ack",
    seed: 4,
    jobs: 2,
  });
  expect(parsed("--broken", "my.patch", "--workload", "append", "--nodes", "5")).toMatchObject({
    kind: "broken",
    patch: "my.patch",
    workloads: ["append"],
    nodeCount: 5,
  });
  expect(() => parsed("--self-test", "--nemesis", "kill")).toThrow("does not go with --self-test");
  expect(() => parsed("--only", "ack")).toThrow("--only goes with --self-test");
  expect(() => parsed("--lazyfs", "a")).toThrow("--lazyfs goes with --disk lazyfs");
});
