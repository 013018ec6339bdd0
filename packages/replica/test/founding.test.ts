// Goal: however founders are cut off, killed, and lose their disks, no two groups begin (ADR 5).
// Method: the real agreement, directories and replicas on virtual time; every set of lives that a
// process has begun with is counted. One disk of each world is never lost: without any, nothing is
// left that a second group could contradict.
import { describe, expect, test } from "vitest";
import { ReplicaError } from "../src/index.ts";
import { FoundingWorld } from "./kit/founding-world.ts";

const SEEDS = 300;

function codeOf(world: FoundingWorld, nodeId: number): string | undefined {
  const { error } = world.node(nodeId);
  return error instanceof ReplicaError ? error.code : undefined;
}

describe("founders", () => {
  test("begin one group, once all have met", () => {
    const world = new FoundingWorld(3, 1);
    world.start(1);
    world.start(2);
    world.time.pass(3_000);
    expect(world.begun.size).toBe(0);

    world.start(3);

    expect(world.time.passUntil(() => world.isServing(), 3_000)).toBe(true);
    expect(world.begun.size).toBe(1);
  });

  test("do not begin as long as one of them cannot be told", () => {
    const world = new FoundingWorld(3, 1);
    world.link(1, 2, "cut");
    for (const nodeId of [1, 3]) world.start(nodeId);
    world.time.pass(300);
    world.start(2);
    world.network.cut(3, 2);
    world.time.pass(10_000);

    expect(world.begun.size).toBe(0);
    world.network.healAll();
    expect(world.time.passUntil(() => world.isServing(), 5_000)).toBe(true);
  });

  // Two groups began here: {1, 3} on one side, {2, 3 on a new disk} on the other.
  test("begin one group at most if a disk is lost behind a cut", () => {
    const world = new FoundingWorld(3, 1);
    world.link(1, 3, "cut");
    world.link(2, 3, "cut");
    world.start(1);
    world.start(2);
    world.time.pass(300);
    world.link(1, 2, "cut");
    world.link(1, 3, "heal");
    world.start(3);
    world.time.pass(3_000);
    world.link(1, 3, "cut");
    world.kill(3, "process");
    world.lose(3);
    world.link(2, 3, "heal");
    world.start(3);
    world.time.pass(10_000);
    expect(world.begun.size).toBe(0);

    world.network.healAll();
    world.time.pass(10_000);

    // All three had confirmed the former disk of node 3, so it is one of the founders.
    expect(world.begun.size).toBe(1);
    expect(world.leaders()).toHaveLength(1);
    expect(codeOf(world, 3)).toMatch(/DISK_LOST|FOUNDING_CONFLICT/);
  });

  test("refuse to begin if they are bound to different sets", () => {
    const world = new FoundingWorld(3, 1);
    world.link(2, 3, "cut");
    for (const nodeId of [1, 2]) world.start(nodeId);
    world.time.pass(300);
    world.link(1, 2, "cut");
    world.start(3);
    // Node 3 has told node 1 that it is bound, too.
    world.time.passUntil(() => world.isConfirmed(1) && world.isConfirmed(3), 1_000);
    world.time.pass(10);
    world.kill(3, "process");
    world.lose(3);
    world.link(2, 3, "heal");
    world.link(1, 3, "cut");
    world.start(3);
    // Node 2 has not noticed that node 1 is gone.
    expect(world.time.passUntil(() => world.isConfirmed(2), 1_500)).toBe(true);
    world.time.pass(10);

    world.network.healAll();
    world.time.pass(10_000);

    expect(world.begun.size).toBe(0);
    expect([1, 2].map((nodeId) => codeOf(world, nodeId))).toContain("FOUNDING_CONFLICT");
  });

  test("are bound for good by the time that others hear of it", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const world = new FoundingWorld(2, seed);
      const node = world.node(1);
      for (const nodeId of [1, 2]) world.start(nodeId);
      // It ends somewhere in noting its set, and what was not synced is still in memory.
      node.crash = "process";
      world.planFault(1);
      world.time.passUntil(() => node.process === undefined, 2_000);
      if (node.process === undefined) world.start(1);

      expect(world.time.passUntil(() => world.begun.size > 0, 5_000)).toBe(true);
      world.kill(1, "power");

      expect(world.isConfirmed(1), `seed ${seed}`).toBe(true);
    }
  });

  test("refuse to begin, all of them, if one loses its disk before it confirms", () => {
    const world = new FoundingWorld(3, 1);
    for (const nodeId of [1, 2, 3]) world.start(nodeId);
    world.time.passUntil(() => world.isConfirmed(1) || world.isConfirmed(2), 3_000);
    expect(world.isConfirmed(3)).toBe(false);
    world.kill(3, "power");
    world.lose(3);
    const refused = new Set<number>();
    for (let i = 0; i < 5; i++) {
      // As a supervisor does.
      for (const { nodeId, process } of world.nodes) if (process === undefined) world.start(nodeId);
      world.time.pass(5_000);
      for (const nodeId of [1, 2, 3])
        if (codeOf(world, nodeId) === "FOUNDING_CONFLICT") refused.add(nodeId);
    }

    expect(world.begun.size).toBe(0);
    expect(refused).toEqual(new Set([1, 2, 3]));

    for (const nodeId of [1, 2, 3]) {
      world.kill(nodeId, "process");
      world.lose(nodeId);
      world.start(nodeId);
    }
    expect(world.time.passUntil(() => world.isServing(), 5_000)).toBe(true);
  });

  test("take a founder along that was away when the others began", () => {
    const world = new FoundingWorld(3, 1);
    for (const nodeId of [1, 2, 3]) world.start(nodeId);
    world.time.passUntil(() => world.begun.size > 0, 3_000);
    const behind = world.nodes.filter(({ process }) => process?.group === undefined);
    expect(behind.length).toBeGreaterThan(0);
    for (const { nodeId } of behind) world.kill(nodeId, "power");
    world.time.pass(3_000);
    for (const { nodeId } of behind) world.start(nodeId);

    expect(world.time.passUntil(() => world.isServing(), 5_000)).toBe(true);
    expect(world.begun.size).toBe(1);
  });
});

/** Anything may happen to anybody, but for the loss of the first disk. */
function trouble(world: FoundingWorld, mayLose: boolean): void {
  const { prng, nodes, network } = world;
  const { nodeId, process } = prng.pick(nodes);
  const other = prng.pick(nodes).nodeId;
  if (process === undefined) {
    if (mayLose && nodeId > 1 && prng.chance(0.5)) world.lose(nodeId);
    world.start(nodeId);
    if (prng.chance(0.3)) world.planFault(nodeId);
    world.node(nodeId).crash = prng.pick(["process", "power"]);
  } else if (prng.chance(0.25)) world.kill(nodeId, prng.pick(["process", "power"]));
  else if (prng.chance(0.3)) world.planFault(nodeId);
  else if (prng.chance(0.4)) network.cut(nodeId, other);
  else if (prng.chance(0.2)) network.drop(nodeId, other, prng.fraction());
  else network.heal(nodeId, other);
}

function troubled(seed: number, mayLose: boolean): FoundingWorld {
  const world = new FoundingWorld(2 + (seed % 2), seed);
  const { prng } = world;
  const rounds = prng.between(5, 40);
  for (let i = 0; i < rounds; i++) {
    trouble(world, mayLose);
    world.time.pass(prng.chance(0.5) ? prng.below(20) : prng.below(1_500));
  }
  return world;
}

/** Everything works from now on, and whoever is down is started once more. */
function settle(world: FoundingWorld): void {
  world.network.healAll();
  for (const node of world.nodes) node.countdown = 0;
  // What has failed already comes to light.
  world.time.pass(100);
  for (const node of world.nodes) {
    if (node.process?.isOver === true) world.kill(node.nodeId, "power");
    if (node.process === undefined) world.start(node.nodeId);
  }
  world.time.passUntil(() => world.isServing(), 20_000);
}

describe("founders in trouble", () => {
  test("never begin two groups, and say so if they cannot begin", () => {
    let begun = 0;
    let refused = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = troubled(seed, true);
      settle(world);
      const errors = world.nodes.flatMap(({ error }) => (error === undefined ? [] : [error]));

      expect(world.begun.size, `seed ${seed}`).toBeLessThanOrEqual(1);
      for (const error of errors)
        expect(error, `seed ${seed}`).toMatchObject({
          code: expect.stringMatching(/^(DISK_LOST|FOUNDING_CONFLICT)$/) as unknown,
        });
      expect(world.isServing() || errors.length > 0, `seed ${seed}`).toBe(true);
      if (world.begun.size > 0) begun += 1;
      if (errors.length > 0) refused += 1;
    }
    // Otherwise the schedules are too rough, or too gentle, to say anything.
    expect(begun).toBeGreaterThan(SEEDS / 10);
    expect(refused).toBeGreaterThan(SEEDS / 10);
  }, 120_000);

  test("begin in the end as long as no disk is lost", () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = troubled(seed, false);
      settle(world);

      expect(world.isServing(), `seed ${seed}`).toBe(true);
      expect(world.begun.size, `seed ${seed}`).toBe(1);
    }
  }, 120_000);
});
