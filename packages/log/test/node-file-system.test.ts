// Goal: a sync on a real disk is one, and says so if it fails.
// Method: the system refuses to sync what no disk stands behind. Whoever does not ask it, succeeds.
import { describe, expect, test } from "vitest";
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
