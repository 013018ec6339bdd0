/** What every process of a measurement answers to its parent, whatever runs in it. */

import { readFileSync } from "node:fs";
import { type LoadConfig, type LoadResult, runLoad } from "./append-load.ts";

export interface NodeConfig {
  readonly nodeId: number;
  readonly directory: string;
  /** By node id. */
  readonly ports: Readonly<Record<number, number>>;
}

export interface Usage {
  readonly cpuMicros: number;
  readonly anonymousKb: number;
}

export type Request = { readonly type: "usage" } | { readonly type: "load"; load: LoadConfig };

export type Answer =
  | { readonly type: "ready" }
  | { readonly type: "usage"; readonly usage: Usage }
  | { readonly type: "result"; readonly result: LoadResult };

/** Says that this process is ready, and serves its parent until that one ends. */
export function serveParent(append: (bytes: Buffer) => Promise<unknown>): void {
  process.on("message", (request: Request) => {
    if (request.type === "usage") answer({ type: "usage", usage: usage() });
    else
      runLoad(request.load, append).then(
        (result) => {
          answer({ type: "result", result });
        },
        (error: unknown) => {
          console.error(error);
          process.exit(1);
        },
      );
  });
  process.on("disconnect", () => process.exit(0));
  answer({ type: "ready" });
}

export function readConfig(): NodeConfig {
  return JSON.parse(process.argv[2] ?? "{}") as NodeConfig;
}

function answer(message: Answer): void {
  process.send?.(message);
}

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  const found = /RssAnon:\s+(?<kb>\d+)/u.exec(readFileSync("/proc/self/status", "utf8"));
  return { cpuMicros: user + system, anonymousKb: Number(found?.groups?.["kb"] ?? 0) };
}
