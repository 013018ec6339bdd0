/** The file system of the machine. */

import {
  close,
  constants,
  closeSync,
  fsync,
  fsyncSync,
  mkdirSync,
  open,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { lockDirectory } from "./directory-lock.ts";
import type { DirectoryLock, Done, FileSystem, OpenFile } from "./file-system.ts";
import { type AppendPath, NodeFile } from "./node-file.ts";

const OWNER_ONLY_DIRECTORY = 0o700;
const OWNER_ONLY_FILE = 0o600;

export const nodeFileSystem: FileSystem = {
  makeDirectory(path: string): void {
    const first = mkdirSync(path, { recursive: true, mode: OWNER_ONLY_DIRECTORY });
    if (first === undefined) return;
    // Each new name is on the disk when the directory that holds it is synced.
    const top = dirname(resolve(first));
    for (let holder = dirname(resolve(path)); ; holder = dirname(holder)) {
      nodeFileSystem.syncDirectory(holder);
      if (holder === top) return;
    }
  },

  list(path: string): string[] | undefined {
    try {
      return readdirSync(path).sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  },

  open: (path, access) => openFile(path, access, "direct"),
  create: (path) => createFile(path, "direct"),

  rename(from: string, to: string): void {
    renameSync(from, to);
  },

  remove(path: string): void {
    rmSync(path);
  },

  syncDirectory(path: string): void {
    const fd = openSync(path, constants.O_RDONLY);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  },

  syncDirectoryLater(path: string, done: Done): void {
    open(path, constants.O_RDONLY, (openError, fd) => {
      if (openError !== null) {
        done(openError);
        return;
      }
      fsync(fd, (error) => {
        close(fd, (closeError) => {
          done(error ?? closeError ?? undefined);
        });
      });
    });
  },

  freeBytes(path: string): number {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  },

  totalBytes(path: string): number {
    const { blocks, bfree, bavail, bsize } = statfsSync(path);
    // As df counts it: what is kept for others is neither used nor to be had.
    return (blocks - bfree + bavail) * bsize;
  },

  lock(path: string): DirectoryLock | { readonly heldBy: string } {
    return lockDirectory(path);
  },
};

/** The same, which appends through the cache of the system: for disks that it does good. */
export const cachedFileSystem: FileSystem = {
  ...nodeFileSystem,
  open: (path, access) => openFile(path, access, "cached"),
  create: (path) => createFile(path, "cached"),
};

function openFile(path: string, access: "read" | "readWrite", appendPath: AppendPath): OpenFile {
  const flags = access === "read" ? constants.O_RDONLY : constants.O_RDWR;
  return new NodeFile(path, openSync(path, flags), appendPath);
}

function createFile(path: string, appendPath: AppendPath): OpenFile {
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR;
  return new NodeFile(path, openSync(path, flags, OWNER_ONLY_FILE), appendPath);
}
