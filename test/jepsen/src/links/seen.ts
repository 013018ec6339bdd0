/** What was seen of something that was done to ways. */

export interface Seen {
  /** By name, as each network counts. */
  readonly counts: Readonly<Record<string, number>>;
  /** It was what it is called. */
  readonly hasBitten: boolean;
  /** What passed that must not have, in words; empty if nothing did. */
  readonly breach: string;
}

/** Of several: counts are added up. */
export function mergedSeen(all: readonly Seen[]): Seen {
  const counts: Record<string, number> = {};
  for (const seen of all)
    for (const [name, count] of Object.entries(seen.counts))
      counts[name] = (counts[name] ?? 0) + count;
  return {
    counts,
    hasBitten: all.some(({ hasBitten }) => hasBitten),
    breach: all.map(({ breach }) => breach).find((breach) => breach !== "") ?? "",
  };
}
