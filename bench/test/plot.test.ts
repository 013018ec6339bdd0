// Goal: a picture shows what was measured: bars and points where their values are, every text
// whole and escaped; and its PNG is the same picture.
// Method: drawings by hand, whose SVG is read back; scales by the values at their ends; text
// against the font that PNGs are drawn with.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Resvg } from "@resvg/resvg-wasm";
import { describe, expect, test } from "vitest";
import type { BarGroup, BarPanel, Drawing, Line, LinePanel } from "../src/plot/chart.ts";
import { figure } from "../src/plot/figure.ts";
import { pngOf } from "../src/plot/png.ts";
import { linearScale, logScale } from "../src/plot/scale.ts";
import { svgOf } from "../src/plot/svg-picture.ts";
import { widthOf } from "../src/plot/text.ts";
import { textsOf, troublesOf } from "./picture-texts.ts";

const SPAN = { from: 100, to: 300 };

function barsOf(values: readonly number[], panel: Partial<BarPanel> = {}): Drawing {
  const groups = values.map((value, i) => ({
    name: `case ${i + 1}`,
    bars: [{ series: "ours", value, lowest: value * 0.9, highest: value * 1.2 }],
  }));
  const bars: BarPanel = { kind: "bars", title: "Appends", unit: "MB/s", groups, ...panel };
  return { title: "Bars", panels: [bars] };
}

function linesOf(panel: Partial<LinePanel>): Drawing {
  const lines: LinePanel = {
    kind: "lines",
    title: "Memory",
    unit: "MB",
    x: { title: "minutes" },
    lines: [],
    ...panel,
  };
  return { title: "Lines", panels: [lines] };
}

function line(ys: readonly number[]): Line {
  return { series: "node 1", points: ys.map((y, x) => ({ x, y })) };
}

function group(series: string): BarGroup {
  return { name: "1 KB", bars: [{ series, value: 1 }] };
}

/** Numbers of attributes of all elements of a kind but the background. */
function numbersOf(svg: string, element: string, attribute: string): number[] {
  const pattern = new RegExp(`<${element} [^>]*?\\b${attribute}="([\\d.]+)"`, "g");
  return [...svg.matchAll(pattern)].map(([, number]) => Number(number));
}

describe("scales", () => {
  test("a linear one goes from zero to a round number", () => {
    const scale = linearScale({ least: 0, most: 93 }, SPAN);

    expect([scale.least, scale.most]).toEqual([0, 100]);
    expect(scale.ticks).toEqual([0, 20, 40, 60, 80, 100]);
    expect([0, 25, 100].map(scale.at)).toEqual([100, 150, 300]);
  });

  test("a logarithmic one has equal steps for equal ratios", () => {
    const scale = logScale({ least: 1, most: 10_000 }, SPAN);

    expect(scale.ticks).toEqual([1, 10, 100, 1_000, 10_000]);
    expect([1, 100, 10_000].map(scale.at)).toEqual([100, 200, 300]);
  });

  test("a tight one ends with the values, and names what is within", () => {
    const scale = linearScale({ least: 0, most: 27, tickCount: 3, isTight: true }, SPAN);

    expect(scale.most).toBe(27);
    expect(scale.ticks).toEqual([0, 10, 20]);
  });

  test("one value, zero and many decades have a scale, too", () => {
    expect(linearScale({ least: 0, most: 0 }, SPAN).at(0)).toBe(100);
    expect(logScale({ least: 5, most: 5 }, SPAN).at(5)).toBeLessThan(300);
    expect(logScale({ least: 1e-3, most: 1e9 }, SPAN).ticks.length).toBeLessThan(8);
  });

  test("what is beyond an end is put at it", () => {
    expect(linearScale({ least: 0, most: 10 }, SPAN).at(11)).toBe(300);
  });
});

test("figures have three digits that count, and a letter for what is large", () => {
  const small = [0, 0.714, 5.37, 142, 1_434, Number.NaN];
  const large = [9_999, 98_240, 1_204_000, 3e9];

  expect(small.map(figure)).toEqual(["0", "0.714", "5.37", "142", "1,430", "-"]);
  expect(large.map(figure)).toEqual(["10 k", "98.2 k", "1.2 M", "3 G"]);
});

describe("bars", () => {
  test("are as long as their values", () => {
    const svg = svgOf(barsOf([10, 20, 40]), []);
    const [, short = 0, middle = 0, long = 0] = numbersOf(svg, "rect", "width");

    expect(middle / short).toBeCloseTo(2, 2);
    expect(long / short).toBeCloseTo(4, 2);
  });

  test("are as high as their values, when they stand", () => {
    const svg = svgOf(barsOf([10, 40], { direction: "vertical" }), []);
    const [, low = 0, high = 0] = numbersOf(svg, "rect", "height");

    expect(high / low).toBeCloseTo(4, 1);
  });

  test("of a log scale differ by ratios, and the least has one", () => {
    const svg = svgOf(barsOf([10, 100, 1_000], { scale: "log" }), []);
    const [, first = 0, second = 0, third = 0] = numbersOf(svg, "rect", "width");

    expect(first).toBeGreaterThan(10);
    expect(third - second).toBeCloseTo(second - first, 0);
  });

  test("have their values beside them, and what is missing says so", () => {
    const svg = svgOf(barsOf([1_234, Number.NaN]), []);

    expect(textsOf(svg).map(({ text }) => text)).toEqual(
      expect.arrayContaining(["1,230", "not measured"]),
    );
    // The background, and one bar.
    expect(svg.match(/<rect /g)).toHaveLength(2);
  });
});

describe("lines", () => {
  test("go from zero up, and stand where their values are", () => {
    const svg = svgOf(linesOf({ lines: [line([0, 50, 100])] }), []);
    const [xs, ys] = [numbersOf(svg, "circle", "cx"), numbersOf(svg, "circle", "cy")];
    const [left = 0, middle = 0, right = 0] = xs;
    const [low = 0, half = 0, high = 0] = ys;

    expect(right - middle).toBeCloseTo(middle - left, 0);
    expect(low - half).toBeCloseTo(half - high, 0);
    expect(high).toBeLessThan(low);
  });

  test("of very many points keep their peaks", () => {
    const ys = Array.from({ length: 20_000 }, (_, i) => (i === 12_345 ? 100 : 1));
    const svg = svgOf(linesOf({ lines: [line(ys)] }), []);
    const [, points = ""] = /<polyline [^>]*points="([^"]*)"/.exec(svg) ?? [];
    const places = points.split(" ").map((point) => Number(point.split(",")[1]));

    expect(places.length).toBeLessThan(1_000);
    expect(Math.min(...places)).toBeLessThan(Math.max(...places) - 100);
  });

  test("have values that are on no other text, however steep and close they are", () => {
    const ys = [10, 99, 94, 2, 90, 1, 88, 87];
    for (const scale of ["linear", "log"] as const)
      for (const hurry of [1, 8]) {
        const crowd = Array.from({ length: 8 * hurry }, (_, i) => ys[i % ys.length] ?? 0);
        const lines = [
          { ...line(crowd), hasValues: true },
          { ...line(crowd), series: "b" },
        ];
        const rules = [{ x: 0.9, name: "something begins" }];
        const { panels } = linesOf({ scale, lines, rules });
        const svg = svgOf({ title: "Lines", columns: 2, panels: [...panels, ...panels] }, []);

        expect(troublesOf(svg)).toEqual([]);
        expect(textsOf(svg).map(({ text }) => text)).toContain("99");
      }
  });

  test("of nothing are an empty panel", async () => {
    await expect(pngOf(svgOf(linesOf({}), []))).resolves.toBeInstanceOf(Uint8Array);
    await expect(pngOf(svgOf(linesOf({ scale: "log" }), []))).resolves.toBeInstanceOf(Uint8Array);
  });
});

test("dots are where their values are, with median and worst in words", () => {
  const rows = [{ name: "kill -9", series: "gap", values: [30, 10, 20] }];
  const panels = [{ kind: "dots", title: "Gap", unit: "ms", rows } as const];
  const svg = svgOf({ title: "Dots", panels }, []);
  const [first = 0, second = 0, third = 0] = numbersOf(svg, "circle", "cx");

  expect(third - second).toBeCloseTo(second - first, 0);
  expect(textsOf(svg).map(({ text }) => text)).toContain("median 20, worst 30");
});

test("a name has one colour in all panels, and the legend says which", () => {
  const panels = ["a", "b"].map((title): BarPanel => ({
    kind: "bars",
    title,
    unit: "",
    groups: [group("log"), group("bare")],
  }));
  const series = [
    { name: "log", tone: "ours" },
    { name: "bare", tone: "bare" },
  ] as const;
  const svg = svgOf({ title: "Two", series, panels }, []);
  const fills = [...svg.matchAll(/<rect [^>]*rx="[^>]*fill="(#\w+)"/g)].map(([, fill]) => fill);

  expect(fills).toHaveLength(6);
  expect(fills.filter((_, i) => i % 2 === 0)).toEqual(Array.from({ length: 3 }, () => fills[0]));
  expect(new Set(fills).size).toBe(2);
});

describe("texts", () => {
  const nasty = `<b> & "c" 'd' \u0000\u0007 \uD800`;

  test("are escaped wherever they stand", async () => {
    const panel = barsOf([1], { title: nasty, unit: nasty, groups: [{ name: nasty, bars: [] }] });
    const svg = svgOf({ ...panel, title: nasty, lead: nasty, notes: [nasty] }, [nasty]);

    expect(svg).not.toContain("<b>");
    // It is parsed as XML first, which a stray sign would end.
    await expect(pngOf(svg)).resolves.toBeInstanceOf(Uint8Array);
    await expect(pngOf(svg.replace("&amp;", "&"))).rejects.toThrow(/./);
  });

  test("have the width that the table of the font says, or less", async () => {
    await pngOf(svgOf(barsOf([1]), []));
    const require = createRequire(import.meta.url);
    for (const [weight, isBold] of [
      [400, false],
      [600, true],
    ] as const) {
      const font = require.resolve(`@fontsource/inter/files/inter-latin-${weight}-normal.woff2`);
      for (const text of ["publish 1 KB, 1,000 under way", "kill -9 of the leader", "142 k"]) {
        const svg =
          `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 50" font-family="Inter">` +
          `<text x="5" y="30" font-size="20" font-weight="${weight}">${text}</text></svg>`;
        const resvg = new Resvg(svg, { font: { fontBuffers: [readFileSync(font)] } });
        const drawn = resvg.getBBox()?.width ?? Number.NaN;

        expect(widthOf(text, 20, isBold)).toBeGreaterThan(drawn * 0.99);
        expect(widthOf(text, 20, isBold)).toBeLessThan(drawn * 1.12);
      }
    }
  });

  test("are neither cut off nor on each other", () => {
    const long = "a name that says at length what was measured here, and how";
    const groups = [long, "short", `${long} ${long}`].map((name) => ({
      name,
      bars: ["ours", long].map((series) => ({ series, value: 123_456 })),
    }));
    const wide = barsOf([], { groups, title: "Throughput" });
    const steps = barsOf([1_234, 56_789, 912_345, 1.5e6, 3], { direction: "vertical" });
    const many = barsOf(
      Array.from({ length: 14 }, (_, i) => 10 ** (i / 3)),
      {
        direction: "vertical",
        scale: "log",
      },
    );
    const series = ["a", "b", "c", "d", "e"].map((name) => ({ series: name, value: 123_456 }));
    const thin = ["1 KB", "10 KB", "1 MB", "4 MB"].map((name) => ({ name, bars: series }));
    const upright = barsOf([], { groups: thin, direction: "vertical" });
    const panels = [wide, steps, many, upright].flatMap((each) => each.panels);

    for (const columns of [1, 2]) {
      const picture: Drawing = { title: `${long} ${long}`, lead: long, columns, panels };

      expect(troublesOf(svgOf(picture, [`${long} ${long} ${long}`, long]))).toEqual([]);
    }
  });
});

test("a PNG has its signature, and twice as many pixels as the picture has units", async () => {
  const svg = svgOf(barsOf([1, 2]), ["a machine"]);
  const [, width, height] = (/viewBox="0 0 (\d+) (\d+)"/.exec(svg) ?? []).map(Number);
  const png = Buffer.from(await pngOf(svg));

  expect(png.subarray(0, 8)).toEqual(Buffer.from("\x89PNG\r\n\x1a\n", "latin1"));
  expect(png.readUInt32BE(16)).toBe(2 * (width ?? 0));
  expect(png.readUInt32BE(20)).toBe(2 * (height ?? 0));
});
