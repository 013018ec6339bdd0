// Goal: a sync on a real disk is one, and says so if it fails; a disk is as full as users read it.
// Method: the system refuses to sync what no disk stands behind. Whoever does not ask it, succeeds.
// Of the disk, what df prints.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { nodeFileSystem } from "../src/index.ts";

/** Nothing of it can be synced. */
const DEVICE = "/dev/null";
const VIRTUAL_DIRECTORY = "/proc";

describe.runIf(process.platform === "linux")("a sync that the system refuses has failed", () => {
  test("of a file, later", async () => {
    const file = nodeFileSystem.open(DEVICE, "readWrite");

    const error = await new Promise((resolve) => {
      file.sync(resolve);
    });

    expect(error).toMatchObject({ code: "EINVAL" });
    file.close();
  });

  test("of a file, now", () => {
    const file = nodeFileSystem.open(DEVICE, "readWrite");

    expect(() => {
      file.syncNow();
    }).toThrow("EINVAL");
    file.close();
  });

  test("of a directory, later", async () => {
    const error = await new Promise((resolve) => {
      nodeFileSystem.syncDirectoryLater(VIRTUAL_DIRECTORY, resolve);
    });

    expect(error).toMatchObject({ code: "EINVAL" });
  });

  test("of a directory, now", () => {
    expect(() => {
      nodeFileSystem.syncDirectory(VIRTUAL_DIRECTORY);
    }).toThrow("EINVAL");
  });
});

test("a disk is as large, and as full, as df says: without what is kept for others", () => {
  const directory = mkdtempSync(join(tmpdir(), "quorumlog-disk-"));
  onTestFinished(() => {
    rmSync(directory, { recursive: true });
  });
  const words = execFileSync("df", ["-Pk", directory], { encoding: "utf8" }).trim().split(/\s+/u);
  const [usedKb = "", freeKb = ""] = words.slice(-4);

  // What others write meanwhile moves both, and not their sum.
  const totalKb = nodeFileSystem.totalBytes(directory) / 1_024;
  expect(Math.abs(totalKb - (Number(usedKb) + Number(freeKb)))).toBeLessThanOrEqual(4);
});
