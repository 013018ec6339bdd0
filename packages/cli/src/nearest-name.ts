/** Which name was meant by one that is not known. */

/** Letters that may be wrong: more, and it is another word. */
const DISTANCE_MAX = 2;

/** @returns `undefined` if none is near. */
export function nearestName(given: string, names: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let least = Math.min(DISTANCE_MAX, Math.floor(given.length / 2)) + 1;
  for (const name of names) {
    const distance = distanceOf(given.toLowerCase(), name.toLowerCase());
    if (distance >= least) continue;
    nearest = name;
    least = distance;
  }
  if (nearest !== undefined) return nearest;
  // As far as it was typed, if that can be just one.
  const longer = names.filter((name) => given.length > 2 && name.startsWith(given));
  return longer.length === 1 ? longer[0] : undefined;
}

/** How many letters are to be put in, left out or replaced (Levenshtein). */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
