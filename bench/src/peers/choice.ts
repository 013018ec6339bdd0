/** Which systems and workloads a run has, by its flags and by what is installed. */

import { FlagError } from "@quorumlog/std";
import type { PeerSystem } from "./peer-system.ts";
import type { Workload } from "./workload.ts";

/**
 * @param names - As in "nats,etcd"; of all if it is `undefined`. The first system is always there.
 * @throws {@link FlagError} of names that there are not.
 */
export function chosenSystems(
  systems: readonly PeerSystem[],
  names: string | undefined,
): PeerSystem[] {
  if (names === undefined) return [...systems];
  const wanted = names.split(",").map((name) => name.trim());
  const known = systems.map(({ name }) => name);
  const problems = wanted
    .filter((name) => !known.includes(name))
    .map((name) => `--systems: there is no "${name}", but ${known.join(", ")}`);
  if (problems.length > 0) throw new FlagError(problems);
  return systems.filter(({ name }, at) => at === 0 || wanted.includes(name));
}

/** @throws {@link FlagError} if no workload has that in its name. */
export function chosenWorkloads(
  workloads: readonly Workload[],
  only: string | undefined,
): Workload[] {
  const chosen = workloads.filter(({ name }) => only === undefined || name.includes(only));
  if (chosen.length > 0) return chosen;
  const names = workloads.map(({ name }) => name).join(", ");
  throw new FlagError([`--only: no workload has "${only}" in its name: ${names}`]);
}

/** @returns what is said of a system that lacks something here. */
export function wordsOfMissing(system: PeerSystem, missing: readonly string[]): string {
  return `${system.name} is left out: no ${missing.join(", ")} here; ${system.install}`;
}

/** By round: each goes first as often as others do. */
export function turned<Item>(items: readonly Item[], round: number): Item[] {
  const first = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
