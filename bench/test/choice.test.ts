// Goal: what runs is what was asked for and is here; what is not is told, with what installs it.
// Method: systems and workloads by hand; a program that no machine has.

import { expect, test } from "vitest";
import { chosenSystems, chosenWorkloads, turned, wordsOfMissing } from "../src/peers/choice.ts";
import { findProgram, programFile } from "../src/peers/installed-program.ts";
import type { PeerSystem } from "../src/peers/peer-system.ts";
import { missingParts, SYSTEMS, systemNamed } from "../src/peers/peer-systems.ts";
import { WORKLOADS } from "../src/peers/peer-workloads.ts";

const FOLDERS = { kafka: undefined };
const ABSENT = "a-program-that-no-machine-has";

function namesOf(items: readonly { readonly name: string }[]): string[] {
  return items.map(({ name }) => name);
}

test("by default all systems run, and this project is the first", () => {
  expect(namesOf(chosenSystems(SYSTEMS, undefined))).toEqual([
    "quorumlog",
    "rabbitmq",
    "nats",
    "etcd",
    "kafka",
  ]);
});

test("this project runs beside whatever was chosen", () => {
  expect(namesOf(chosenSystems(SYSTEMS, "etcd, nats"))).toEqual(["quorumlog", "nats", "etcd"]);
});

test("a system that there is not is refused by its name", () => {
  expect(() => chosenSystems(SYSTEMS, "nats,postgres")).toThrow(
    '--systems: there is no "postgres", but quorumlog, rabbitmq, nats, etcd, kafka',
  );
  expect(() => systemNamed("postgres")).toThrow('there is no system "postgres"');
});

test("workloads are chosen by a part of their names", () => {
  expect(namesOf(chosenWorkloads(WORKLOADS, "1 KB x 1000"))).toEqual([
    "publish 1 KB x 1000",
    "publish 1 KB x 10000",
  ]);
  expect(chosenWorkloads(WORKLOADS, undefined)).toEqual(WORKLOADS);
  expect(() => chosenWorkloads(WORKLOADS, "nothing")).toThrow("--only: no workload has");
});

test("names of workloads are all different", () => {
  expect(new Set(namesOf(WORKLOADS)).size).toBe(WORKLOADS.length);
});

test("a program that is not here is missing, and told with the command that installs it", () => {
  const system: PeerSystem = {
    ...systemNamed("nats"),
    programs: ["sh", ABSENT],
  };

  const missing = missingParts(system, FOLDERS);

  expect(missing).toEqual([ABSENT]);
  expect(wordsOfMissing(system, missing)).toBe(
    `nats is left out: no ${ABSENT} here; apt-get install nats-server`,
  );
  expect(() => programFile(ABSENT)).toThrow(`${ABSENT} is not installed`);
  expect(findProgram("sh")).toMatch(/\/sh$/u);
});

test("a system without a package is missing until its folder is given", () => {
  const system: PeerSystem = { ...systemNamed("kafka"), programs: ["sh"] };

  expect(missingParts(system, FOLDERS)).toEqual(["--kafka"]);
  expect(missingParts(system, { kafka: "libs" })).toEqual([]);
});

test("this project needs no program", () => {
  expect(missingParts(systemNamed("quorumlog"), FOLDERS)).toEqual([]);
});

test("each system is the first of a round in turn", () => {
  const rounds = [0, 1, 2, 3].map((round) => turned(["a", "b", "c"], round).join(""));

  expect(rounds).toEqual(["abc", "bca", "cab", "abc"]);
  expect(turned([], 3)).toEqual([]);
});
