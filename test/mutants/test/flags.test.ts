// Goal: shards share the bugs out, ranges of seeds cover all seeds once, and a flag that makes no
// sense is refused before anything is built.
import { FlagError } from "@quorumlog/std";
import { expect, test } from "vitest";
import { parseFlags } from "../src/flags.ts";
import { inShard, parseShard } from "../src/shard.ts";
import { evenRanges, growingRanges } from "../src/trial.ts";

test("shards share the bugs out, each to one, evenly", () => {
  const items = Array.from({ length: 42 }, (_, at) => at);

  const shards = [1, 2, 3, 4].map((number) => inShard(items, { number, count: 4 }));

  expect(shards.flat().toSorted((a, b) => a - b)).toEqual(items);
  expect(shards.map(({ length }) => length)).toEqual([11, 11, 10, 10]);
});

test.each(["", "1", "0/4", "5/4", "1/0", "a/b", "1/4/2", "-1/4"])(
  "no shard is called %s",
  (text) => {
    expect(parseShard(text)).toBeUndefined();
  },
);

test("ranges of seeds grow, and cover every seed once", () => {
  const ranges = growingRanges({ from: 5, to: 105 });

  expect(ranges[0]?.from).toBe(5);
  expect(ranges.at(-1)?.to).toBe(105);
  expect(ranges.slice(1).map(({ from }) => from)).toEqual(ranges.slice(0, -1).map(({ to }) => to));
});

test("a range is shared out evenly, in order", () => {
  expect(evenRanges({ from: 5, to: 12 }, 2)).toEqual([
    { from: 5, to: 9 },
    { from: 9, to: 12 },
  ]);
  expect(evenRanges({ from: 5, to: 6 }, 4)).toEqual([{ from: 5, to: 6 }]);
});

test("flags that may be given more than once add up, others are overruled", () => {
  const flags = parseFlags(["--patch", "a", "--patch=b", "--seeds", "5", "--seeds=7", "--json"]);

  expect(flags).toMatchObject({ patches: ["a", "b"], isJson: true, firstSeed: 1 });
  expect(flags.seedCounts).toEqual({ simulator: 7, cluster: 7 });
  expect(flags.shard).toEqual({ number: 1, count: 1 });
});

test.each([["--sharp=1/4"], ["--shard=5/4"], ["--seeds"], ["--seeds=0"], ["--json=yes"], ["bugs"]])(
  "%s is refused",
  (flag) => {
    expect(() => parseFlags([flag])).toThrow(FlagError);
  },
);
