/** Which snapshots are given up where many are kept: no part of the log is left without any. */

/** A snapshot, and how much log there was when it was taken. */
export interface KeptSnapshot {
  readonly index: number;
  readonly logBytes: number;
}

/**
 * A log that is trimmed by age, or never, has a snapshot for every marker in it; but a trim needs
 * one somewhere near. With so many, the log begins at most a tenth of itself earlier than it might.
 */
const KEPT_SNAPSHOTS_MAX = 32;

/**
 * @param kept - Ascending; the first and the last one always stay.
 * @returns the indexes of those to give up: each time the one whose neighbours are closest.
 */
export function superfluous(
  kept: readonly KeptSnapshot[],
  countMax: number = KEPT_SNAPSHOTS_MAX,
): Set<number> {
  const left = [...kept];
  const given = new Set<number>();
  while (left.length > Math.max(2, countMax)) {
    let closest = 1;
    for (let at = 2; at < left.length - 1; at++)
      if (gapAround(left, at) < gapAround(left, closest)) closest = at;
    for (const { index } of left.splice(closest, 1)) given.add(index);
  }
  return given;
}

function gapAround(kept: readonly KeptSnapshot[], at: number): number {
  return (kept[at + 1]?.logBytes ?? 0) - (kept[at - 1]?.logBytes ?? 0);
}
