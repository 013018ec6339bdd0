/** Whether this machine can have LazyFS, found out by doing it: in a folder that is gone then. */

import {
  accessSync,
  appendFileSync,
  constants,
  mkdtempSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { ownFolder, removeFolder } from "@quorumlog/integration/testing";
import { CommandError, runCommand } from "../links/command.ts";
import { LazyMount } from "./lazy-mount.ts";
import { unmountLeftovers } from "./mount-table.ts";

/** It cannot be done here; the message says what is missing, and what helps. */
export class LazyFsMissingError extends Error {
  override readonly name = "LazyFsMissingError";
}

const DEVICE = "/dev/fuse";
const HELP = "build it from github.com/dsrhaslab/lazyfs, and name it with --lazyfs PATH";

/**
 * Unmounts leftovers, too.
 *
 * @param given - A path of LazyFS; `undefined`: the one on the PATH.
 * @returns the path of one that forgets what is not synced, and nothing else.
 * @throws LazyFsMissingError
 */
export async function tryLazyFs(given: string | undefined): Promise<string> {
  if (process.platform !== "linux")
    throw new LazyFsMissingError(`LazyFS is of Linux, and this is ${process.platform}`);
  const program = programAt(given);
  if (!isAllowed(DEVICE, constants.R_OK | constants.W_OK))
    throw new LazyFsMissingError(`no ${DEVICE} here: a container has to be given it`);
  try {
    await runCommand(["fusermount3", "--version"]);
    await unmountLeftovers();
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new LazyFsMissingError(`${error.message}: apt-get install fuse3`, { cause: error });
  }
  await demandForgetting(program);
  return program;
}

function programAt(given: string | undefined): string {
  const places = (process.env["PATH"] ?? "").split(delimiter).map((place) => join(place, "lazyfs"));
  const program = (given === undefined ? places : [resolve(given)]).find((path) =>
    isAllowed(path, constants.X_OK),
  );
  if (program !== undefined) return program;
  const where = given === undefined ? "lazyfs on the PATH" : given;
  throw new LazyFsMissingError(`there is no ${where}: ${HELP}`);
}

function isAllowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    // Whatever keeps it away.
    return false;
  }
}

async function demandForgetting(program: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "quorumlog-lazyfs-"));
  ownFolder(folder);
  try {
    const mount = await LazyMount.open(program, join(folder, "trial"));
    try {
      const path = join(mount.path, "file");
      writeFileSync(path, "kept", { flush: true });
      appendFileSync(path, "lost");
      await mount.losePower();
      const left = readFileSync(path, "utf8");
      if (left !== "kept") throw new Error(`of "kept", synced, and "lost" it has left "${left}"`);
    } finally {
      await mount.close();
    }
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new LazyFsMissingError(`LazyFS does not do here: ${words}`, { cause: error });
  } finally {
    removeFolder(folder);
  }
}
