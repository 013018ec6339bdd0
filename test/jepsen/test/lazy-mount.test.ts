// Goal: a mount of LazyFS forgets what is not synced and nothing else, says how much that was, and
// leaves nothing behind, also if whoever made it is killed.
// Method: real mounts in a temporary folder; LazyFS from the PATH, or where the variable
// QUORUMLOG_LAZYFS says. What is missing is printed, and the tests are skipped.

import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { LazyMount } from "../src/disk/lazy-mount.ts";
import { LazyFsMissingError, tryLazyFs } from "../src/disk/lazy-trial.ts";
import { isMounted, unmountLeftovers } from "../src/disk/mount-table.ts";

const { program, missing } = await found();
if (program === "") console.warn(`skipped: tests of LazyFS: ${missing}`);

async function found(): Promise<{ readonly program: string; readonly missing: string }> {
  try {
    return { program: await tryLazyFs(process.env["QUORUMLOG_LAZYFS"]), missing: "" };
  } catch (error) {
    if (!(error instanceof LazyFsMissingError)) throw error;
    return { program: "", missing: error.message };
  }
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "quorumlog-lazy-mount-"));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

async function opened(folder: string): Promise<LazyMount> {
  const mount = await LazyMount.open(program, join(folder, "disk"));
  onTestFinished(() => mount.close());
  return mount;
}

test("LazyFS that is not there is told with what helps", async () => {
  await expect(tryLazyFs("/nowhere/lazyfs")).rejects.toThrow(
    process.platform === "linux" ? "there is no /nowhere/lazyfs: build it" : "is of Linux",
  );
});

test.skipIf(program === "")("a power loss takes what was not synced, and counts it", async () => {
  const mount = await opened(newFolder());
  const at = (name: string): string => join(mount.path, name);
  const synced = Buffer.alloc(300_000, "synced");
  writeFileSync(at("draft"), synced, { flush: true });
  renameSync(at("draft"), at("file"));
  writeFileSync(at("other"), "synced", { flush: true });
  expect(mount.unsyncedBytes()).toBe(0);
  appendFileSync(at("file"), "12345");
  appendFileSync(at("other"), "678");
  writeFileSync(at("new"), "9");

  expect(mount.unsyncedBytes()).toBe(9);
  expect(await mount.losePower()).toBe(9);

  expect(readFileSync(at("file")).equals(synced)).toBe(true);
  expect(readFileSync(at("other"), "utf8")).toBe("synced");
  expect(readFileSync(at("new"), "utf8")).toBe("");
  expect(await mount.losePower()).toBe(0);
});

test.skipIf(program === "")("a process that is killed loses nothing", async () => {
  const mount = await opened(newFolder());
  const path = join(mount.path, "file");
  const text = `
    require("fs").writeFileSync(${JSON.stringify(path)}, "written");
    process.kill(process.pid, "SIGKILL");`;
  await once(spawn(process.execPath, ["-e", text]), "exit");

  expect(readFileSync(path, "utf8")).toBe("written");
  expect(await mount.losePower()).toBe(7);
});

test.skipIf(program === "")("behind its end the folder has what was on the disk", async () => {
  const folder = newFolder();
  const mount = await opened(folder);
  writeFileSync(join(mount.path, "file"), "synced", { flush: true });
  await mount.close();
  await mount.close();

  expect(isMounted(mount.path)).toBe(false);
  expect(readdirSync(folder)).toEqual(["disk"]);
  expect(readFileSync(join(folder, "disk", "file"), "utf8")).toBe("synced");
});

test.skipIf(program === "")("a mount of a killed process is found and unmounted", async () => {
  const path = join(newFolder(), "disk");
  const module = new URL("../dist/disk/lazy-mount.js", import.meta.url).href;
  const text = `
    const { LazyMount } = await import(${JSON.stringify(module)});
    await LazyMount.open(${JSON.stringify(program)}, ${JSON.stringify(path)});
    process.kill(process.pid, "SIGKILL");`;
  await once(spawn(process.execPath, ["--input-type=module", "-e", text]), "exit");
  expect(isMounted(path)).toBe(true);

  expect(await unmountLeftovers()).toContain(path);

  expect(isMounted(path)).toBe(false);
  expect(existsSync(path)).toBe(true);
});
