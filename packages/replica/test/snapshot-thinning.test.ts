// Goal: a log that is never trimmed does not fill its disk with snapshots, and a late trim still
// finds one nearby.
import { expect, test } from "vitest";
import { superfluous } from "../src/snapshot-thinning.ts";
import { KeptGroup } from "./kit/kept-group.ts";
import { indexes } from "./kit/snapshots.ts";

/** One more at a time, as markers come. */
function afterMany(count: number, countMax: number): number[] {
  let kept: { index: number; logBytes: number }[] = [];
  for (let index = 1; index <= count; index++) {
    kept.push({ index, logBytes: index * 100 });
    const given = superfluous(kept, countMax);
    kept = kept.filter((each) => !given.has(each.index));
  }
  return kept.map(({ index }) => index);
}

test("few are all kept", () => {
  expect(afterMany(8, 8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(superfluous([], 8)).toEqual(new Set());
});

test.each([9, 20, 100, 1_000, 5_000])("of %i the kept ones are spread evenly", (count) => {
  const kept = afterMany(count, 32);
  const gaps = kept.slice(1).map((index, i) => index - (kept[i] as number));

  expect(kept).toHaveLength(Math.min(count, 32));
  expect(kept[0]).toBe(1);
  expect(kept.at(-1)).toBe(count);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(Math.ceil((3 * count) / 32));
});

test("a log with very many markers keeps few, and is trimmed close to where it should be", () => {
  const group = new KeptGroup();
  const markers: number[] = [];
  for (let i = 0; i < 150; i++) {
    group.record();
    markers.push(group.marker());
    group.settle();
  }
  expect(indexes(group.snapshots).length).toBeLessThanOrEqual(32);
  expect(indexes(group.snapshots).at(-1)).toBe(markers.at(-1));

  group.trim(100);
  group.settle();

  const agreed = markers[99] as number;
  expect(group.keeper.state.startIndex).toBe(agreed);
  expect(group.baseIndex).toBeLessThanOrEqual(agreed);
  expect(group.baseIndex).toBeGreaterThan(markers[85] as number);
  expect(group.keeper.firstOffset).toBe(100);
  group.restart();
  expect(group.keeper.firstOffset).toBe(100);
});
