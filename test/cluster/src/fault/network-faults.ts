/** Links that are cut, slow, or lose frames; each heals after a while. */

import type { Prng } from "@quorumlog/std";
import type { World } from "../run/world.ts";
import type { FaultName } from "./swarm.ts";

type Way = readonly [from: number, to: number];

export class NetworkFaults {
  readonly #world: World;
  readonly #prng: Prng;
  /** What was done last to a direction: only that takes it back. */
  readonly #tokens = new Map<string, number>();
  #token = 0;

  constructor(world: World, prng: Prng) {
    this.#world = world;
    this.#prng = prng;
  }

  strike(name: FaultName): void {
    const prng = this.#prng;
    const { network } = this.#world;
    const ids = prng.shuffle([...this.#world.nodes.keys()]);
    const cut = ([from, to]: Way): void => {
      network.cut(from, to);
    };
    switch (name) {
      case "partition":
        this.#apply(between(...halves(ids, prng.between(1, ids.length))), cut);
        break;
      case "oneWay":
        this.#apply(crossing(...halves(ids, prng.between(1, ids.length))), cut);
        break;
      case "isolateLeader": {
        const [first = 1] = ids;
        const leader = this.#world.leader()?.nodeId ?? first;
        const others = ids.filter((id) => id !== leader);
        const isWhole = prng.chance(0.6);
        this.#apply(isWhole ? between([leader], others) : crossing(others, [leader]), cut);
        break;
      }
      case "deafLeader": {
        // What it sends arrives, and is committed by the next leader; it hears of that late.
        const [first = 1] = ids;
        const leader = this.#world.leader()?.nodeId ?? first;
        const others = ids.filter((id) => id !== leader);
        this.#apply(crossing(others, [leader]), cut, prng.between(1_500, 4_000));
        break;
      }
      case "ring":
        this.#apply(
          allWays(ids).filter(([from, to]) => !isNextTo(ids, from, to)),
          cut,
        );
        break;
      case "bridge": {
        const [bridge, ...rest] = ids;
        const [left, right] = halves(rest, rest.length >> 1);
        if (bridge !== undefined) this.#apply(between(left, right), cut);
        break;
      }
      case "slowLinks": {
        const ms = prng.pick([20, 100, 400]);
        const ways = allWays(ids).filter(() => prng.chance(0.4));
        this.#apply(ways, ([from, to]) => {
          network.slow(from, to, ms);
        });
        break;
      }
      case "drop": {
        const probability = prng.pick([0.05, 0.3]);
        const ways = allWays(ids).filter(() => prng.chance(0.6));
        this.#apply(ways, ([from, to]) => {
          network.drop(from, to, probability);
        });
        break;
      }
      default:
    }
  }

  isolate(nodeId: number, ms: number): void {
    const others = [...this.#world.nodes.keys()].filter((id) => id !== nodeId);
    const cut = ([from, to]: Way): void => {
      this.#world.network.cut(from, to);
    };
    this.#apply(between([nodeId], others), cut, ms);
  }

  heal(): void {
    this.#tokens.clear();
    this.#world.network.healAll();
  }

  #apply(ways: readonly Way[], act: (way: Way) => void, ms?: number): void {
    this.#token += 1;
    const token = this.#token;
    for (const [from, to] of ways) {
      act([from, to]);
      this.#tokens.set(`${from} ${to}`, token);
    }
    this.#world.queue.after(ms ?? this.#prng.pick([200, 800, 2_500]), () => {
      for (const [from, to] of ways)
        if (this.#tokens.get(`${from} ${to}`) === token) this.#world.network.heal(from, to);
    });
  }
}

function halves(ids: readonly number[], size: number): [number[], number[]] {
  return [ids.slice(0, size), ids.slice(size)];
}

function crossing(left: readonly number[], right: readonly number[]): Way[] {
  return left.flatMap((from) => right.map((to): Way => [from, to]));
}

function between(left: readonly number[], right: readonly number[]): Way[] {
  return [...crossing(left, right), ...crossing(right, left)];
}

function allWays(ids: readonly number[]): Way[] {
  return crossing(ids, ids).filter(([from, to]) => from !== to);
}

function isNextTo(ids: readonly number[], from: number, to: number): boolean {
  const distance = Math.abs(ids.indexOf(from) - ids.indexOf(to));
  return distance === 1 || distance === ids.length - 1;
}
