/** Where bugs are planted, and which tests know that place. */

/** Packages that bugs may be planted in. */
export const PLACES = [
  "raft",
  "std",
  "log",
  "transport",
  "replica",
  "tables",
  "protocol",
  "nameserver",
  "broker",
  "client",
] as const;

export type Place = (typeof PLACES)[number];

/** Simulators that run what a bug has changed. */
export const SIMULATORS = ["simulator", "cluster"] as const;

export type SimulatorName = (typeof SIMULATORS)[number];

/** What a simulated replica runs; everybody else is tested by the package's own tests. */
const OF_REPLICA: ReadonlySet<Place> = new Set(["raft", "std", "log", "transport", "replica"]);

/** From the root of the repository. */
export function sourcesOf(place: Place): string {
  return `packages/${place}/src/`;
}

/**
 * The simulators that are asked of a bug in these places: that of the core runs nothing else, and
 * that of whole replicas takes longer for each seed than the core is worth. Neither has a database,
 * or a broker.
 */
export function simulatorsFor(places: readonly Place[]): SimulatorName[] {
  const isOfCore = places.includes("raft");
  const isOfReplica = places.some((place) => place !== "raft" && OF_REPLICA.has(place));
  return SIMULATORS.filter((name) => (name === "simulator" ? isOfCore : isOfReplica));
}
