// Goal: the outcome of a bench says where its figures come from, and its picture can be redrawn.
// Method: write one into a folder of its own, read the files, and draw the picture again.

import { execFileSync } from "node:child_process";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { drawOutcome, type Outcome, writeFigures, writeOutcome } from "../src/outcome/outcome.ts";
import {
  commitOf,
  diskAmong,
  linesOf,
  type Provenance,
  provenanceOf,
} from "../src/outcome/provenance.ts";
import type { Drawing } from "../src/plot/chart.ts";

interface Results {
  readonly perSecond: number;
}

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "quorumlog-outcome-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function draw({ perSecond }: Results): Drawing {
  const groups = [{ name: "it", bars: [{ series: "it", value: perSecond }] }];
  return { title: "Speed", panels: [{ kind: "bars", title: "Rate", unit: "1/s", groups }] };
}

test("JSON, SVG and PNG are written, with all that the figures come from", async () => {
  await writeOutcome({ bench: "try", name: "try-1", results: { perSecond: 123 }, draw, folder });
  const text = readFileSync(join(folder, "try-1.json"), "utf8");
  const outcome = JSON.parse(text) as Outcome<Results>;

  expect(outcome).toEqual({
    bench: "try",
    machine: {
      cpu: expect.any(String),
      cores: expect.any(Number),
      memoryGb: expect.any(Number),
      kernel: expect.stringMatching(/\S+ \d/),
      architecture: process.arch,
      ...(process.platform === "linux"
        ? { disk: { device: expect.any(String), filesystem: expect.any(String) } }
        : {}),
    },
    node: process.version,
    quorumlog: expect.stringMatching(/^\d+\.\d+\.\d+/),
    commit: commitOf(import.meta.dirname),
    command: expect.stringMatching(/^npm run bench --/),
    date: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    results: { perSecond: 123 },
  });
  const svg = readFileSync(join(folder, "try-1.svg"), "utf8");
  expect(svg).toContain(">123</text>");
  expect(svg).toContain(outcome.command);
  expect(readFileSync(join(folder, "try-1.png")).subarray(1, 4).toString()).toBe("PNG");
});

test("figures are written again and again, each time as a whole, and nothing beside them", () => {
  const written = [1, 2].map((perSecond) => {
    const file = writeFigures({ bench: "try", results: { perSecond }, folder });
    return (JSON.parse(readFileSync(file, "utf8")) as Outcome<Results>).results;
  });

  expect(written).toEqual([{ perSecond: 1 }, { perSecond: 2 }]);
  expect(readdirSync(folder)).toEqual(["try.json"]);
});

test("figures take the place of others, and are not written into their file", () => {
  const file = writeFigures({ bench: "try", results: { perSecond: 1 }, folder });
  const reader = openSync(file, "r");
  writeFigures({ bench: "try", results: { perSecond: 2 }, folder });

  // Whoever has begun to read goes on with what was there.
  const { results } = JSON.parse(readFileSync(reader, "utf8")) as Outcome<Results>;
  closeSync(reader);
  expect(results).toEqual({ perSecond: 1 });
});

test("a picture that is drawn again from its JSON is the same", async () => {
  await writeOutcome({ bench: "try", results: { perSecond: 5 }, draw, folder });
  const files = ["try.svg", "try.png"].map((name) => join(folder, name));
  const before = files.map((file) => readFileSync(file));
  for (const file of files) rmSync(file);

  const told: string[] = [];
  await drawOutcome(join(folder, "try.json"), (results, bench) => {
    told.push(bench);
    return draw(results as Results);
  });

  expect(files.map((file) => readFileSync(file))).toEqual(before);
  expect(told).toEqual(["try"]);
});

test("what is no outcome is not drawn", async () => {
  const file = join(folder, "other.json");
  writeFileSync(file, '{"rows": []}');

  await expect(drawOutcome(file, () => draw({ perSecond: 1 }))).rejects.toThrow(/no outcome/);
});

test("a folder is on the mount that is nearest above it", () => {
  const mounts = [
    "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw",
    "28 27 8:1 / /data rw master:1 - ext4 /dev/sda1 rw",
    "29 28 8:2 / /data rw - xfs /dev/sdb1 rw",
    String.raw`30 27 8:3 / /my\040disk rw - btrfs /dev/sdc1 rw`,
  ].join("\n");

  const on = (path: string): string | undefined => diskAmong(mounts, path)?.device;
  expect(["/", "/database", "/data", "/data/a", "/my disk/b"].map(on)).toEqual([
    "/dev/vda",
    "/dev/vda",
    "/dev/sdb1",
    "/dev/sdb1",
    "/dev/sdc1",
  ]);
  expect(diskAmong("", "/")).toBeUndefined();
});

test("a command is told as a shell takes it", () => {
  const { command } = provenanceOf(folder, ["broker", "--only", "it's 1 KB", "--rounds=3"]);

  expect(command).toBe(String.raw`npm run bench -- broker --only 'it'\''s 1 KB' --rounds=3`);
});

test("a commit is told with whether anything differs from it", () => {
  const git = (...words: readonly string[]): void => {
    const who = ["-c", "user.name=a", "-c", "user.email=a@b.example"];
    execFileSync("git", ["-C", folder, ...who, ...words], { stdio: "pipe" });
  };
  expect(commitOf(folder)).toBeUndefined();
  git("init");
  git("commit", "--allow-empty", "--message", "first");
  expect(commitOf(folder)?.isClean).toBe(true);
  writeFileSync(join(folder, "new.txt"), "");
  expect(commitOf(folder)?.isClean).toBe(false);
});

test("a picture says so if the tree had changes", () => {
  const provenance = provenanceOf(folder, []);
  const linesWith = (commit: Provenance["commit"]): string =>
    linesOf({ ...provenance, commit }).join("\n");
  const hash = "0123456789".repeat(4);

  expect(linesWith({ hash, isClean: false })).toContain("0123456789 and changes");
  expect(linesWith({ hash, isClean: true })).not.toContain("changes");
  expect(linesWith(undefined)).not.toContain(" at ");
});
