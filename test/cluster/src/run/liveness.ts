/**
 * Faults are over: within a bounded time the group has the members that are wanted, takes an
 * append, and all of them hold the same.
 */

import { readFrom } from "../client/reader.ts";
import { hold } from "../engine/violation.ts";
import type { Nemesis } from "../fault/nemesis.ts";
import type { Operator } from "../fault/operator.ts";
import type { Supervisor } from "../fault/supervisor.ts";
import type { Life, SimNode } from "../node/sim-node.ts";
import type { World } from "./world.ts";

const PATIENCE_MS = 60_000;
const LOOK_MS = 100;
const CALL_GRACE_MS = 500;

export interface LivenessInit {
  readonly world: World;
  readonly nemesis: Nemesis;
  readonly supervisor: Supervisor;
  readonly operator: Operator;
}

/** Runs the second phase of a seed. */
export function demandLiveness(init: LivenessInit): void {
  const { world, nemesis, supervisor, operator } = init;
  world.story.note(() => "faults are over");
  nemesis.stop();
  supervisor.hurry();
  for (const nodeId of world.nodes.keys())
    if (operator.wanted.has(nodeId)) supervisor.employ(nodeId);
  const start = world.ledger.ackedCount;
  until(world, "the members are those that are wanted", () => {
    const life = world.leader()?.life;
    return life !== undefined && operator.isSettled(life);
  });
  until(world, "an append succeeds", () => world.ledger.ackedCount > start);
  for (const client of world.clients) client.stop();
  for (const reader of world.readers) reader.stop();
  until(world, "every call ends", () => world.clients.every((client) => client.isIdle));
  const members = [...operator.wanted].map((nodeId) => world.node(nodeId));
  until(world, "replicas converge", () => isSame(members));
  world.attempts.demandEnded(CALL_GRACE_MS);
  for (const node of members) demandContents(world, node);
  world.ledger.countOutcomes();
}

function until(world: World, what: string, condition: () => boolean): void {
  const { queue } = world;
  const end = queue.now() + PATIENCE_MS;
  while (!condition()) {
    hold(
      queue.now() < end,
      "liveness",
      () => `${what}: not within ${PATIENCE_MS} ms\n${look(world)}`,
    );
    queue.runUntil(queue.now() + LOOK_MS);
    if (world.violation !== undefined) throw world.violation;
  }
}

function look({ nodes }: World): string {
  return [...nodes.values()]
    .map(({ nodeId, life }) => {
      if (life === undefined) return `node ${nodeId} is down`;
      const { role, currentTerm, commitIndex, lastIndex, configuration } = life.replica.status();
      const { appliedIndex } = life.replica.keeper;
      const voters = configuration.voters.map(
        ({ id, incarnation }) => `${id}.${incarnation % 1e6}`,
      );
      const learners = configuration.learners.map(({ id }) => id);
      return (
        `node ${nodeId}.${life.incarnation % 1e6} ${role} term ${currentTerm}, ` +
        `log [${life.replica.log.firstIndex()}, ${lastIndex}], commit ${commitIndex}, ` +
        `applied ${appliedIndex}, voters ${voters.join(" ")}, learners ${learners.join(" ")}, ` +
        `failed ${life.hasFailed}, disk lag ${life.replica.disk.lagMs()}`
      );
    })
    .join("\n");
}

function isSame(members: readonly SimNode[]): boolean {
  const lives = members.map(({ life }) => life);
  if (!lives.every((life): life is Life => life?.replica.isOpen() === true)) return false;
  const marks = lives.map(({ replica: { keeper, log, core } }) =>
    [
      keeper.appliedIndex,
      core.status().commitIndex,
      core.status().lastIndex,
      keeper.firstOffset,
      // A log may begin earlier than agreed, where a snapshot is missing, and never later.
      keeper.state.startIndex,
      log.base().index <= Math.max(1, keeper.state.startIndex),
    ].join(" "),
  );
  return new Set(marks).size === 1;
}

function demandContents(world: World, node: SimNode): void {
  const { nodeId } = node;
  const life = node.life as Life;
  const { keeper, log } = life.replica;
  const { ledger } = world;
  hold(keeper.state.nextOffset === ledger.end, "nothing that was applied is lost", () => {
    return `node ${nodeId} ends at offset ${keeper.state.nextOffset}, not at ${ledger.end}`;
  });
  hold(keeper.firstOffset <= ledger.trimWanted, "only what was trimmed is gone", () => {
    return `node ${nodeId} begins at ${keeper.firstOffset}, trimmed was ${ledger.trimWanted}`;
  });
  hold(keeper.baseOffset <= keeper.firstOffset, "the log holds what can be read", () => {
    const { baseOffset, firstOffset } = keeper;
    return `node ${nodeId} holds offsets from ${baseOffset}, reads from ${firstOffset}`;
  });
  if (log.base().index > 1 && node.diskNumber > 0) world.story.count("a new disk holds everything");
  let from = keeper.firstOffset;
  for (let size = 1_000; from < ledger.end; size = (size * 3) % 100_000) {
    const next = readFrom({ world, node, life }, from, Math.max(1, size));
    hold(next > from, "a read gets on", () => `node ${nodeId} stays at ${from}`);
    from = next;
  }
  world.images.onEnd(node);
}
