/** On what a run went on, and of which sources. */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import type { Machine } from "./run-record.ts";

export function machineFacts(): Machine {
  const all = cpus();
  return {
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    cpu: all[0]?.model.trim() ?? "unknown",
    cpuCount: all.length,
    memoryBytes: totalmem(),
  };
}

export function projectVersion(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return String((JSON.parse(manifest) as { readonly version?: unknown }).version);
}

/** With `+` if the sources have been changed since; empty if nobody knows. */
export function sourceCommit(): string {
  try {
    const commit = git("rev-parse", "--short=12", "HEAD");
    return git("status", "--porcelain", "--untracked-files=no") === "" ? commit : `${commit}+`;
  } catch {
    // No repository, or no git: a run is as good without.
    return "";
  }
}

function git(...args: readonly string[]): string {
  return execFileSync("git", args, {
    cwd: new URL(".", import.meta.url),
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();
}
