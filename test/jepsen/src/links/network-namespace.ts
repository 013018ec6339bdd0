/**
 * A network namespace of Linux: interfaces, routes and ports of its own.
 *
 * It has no name. A descriptor of this process and the processes in it keep it: when they have
 * ended, however that was, it is gone, with all interfaces in it. So nothing is ever left behind,
 * and no two runs can meet.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { ownChild } from "@quorumlog/integration/testing";
import { CommandError, runCommand } from "./command.ts";

export class NetworkNamespace {
  #descriptor: number | undefined;

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** @throws CommandError without the right to, or if the kernel has none. */
  static async open(): Promise<NetworkNamespace> {
    // It is in the namespace as soon as it echoes something, and ends with this process.
    const holder = spawn("unshare", ["--net", "--", "cat"], { stdio: ["pipe", "pipe", "pipe"] });
    ownChild(holder);
    let complaint = "";
    holder.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
    holder.stdin.on("error", () => undefined);
    const failed = new Promise<never>((_, reject) => {
      holder.once("error", (error) => {
        reject(new CommandError(`unshare --net: ${error.message}`));
      });
      holder.once("close", (code, signal) => {
        const why = complaint.trim() || (signal ?? `exit ${code}`);
        reject(new CommandError(`unshare --net: ${why}`));
      });
    });
    // It ends in the end.
    failed.catch(() => undefined);
    holder.stdin.write("\n");
    await Promise.race([once(holder.stdout, "data"), failed]);
    const descriptor = openSync(`/proc/${holder.pid}/ns/net`, "r");
    holder.stdin.end();
    return new NetworkNamespace(descriptor);
  }

  /** For commands that are given a namespace as a file. @throws Error if it was closed. */
  get path(): string {
    if (this.#descriptor === undefined) throw new Error("the network namespace is closed");
    return `/proc/${process.pid}/fd/${this.#descriptor}`;
  }

  /** What a command line begins with to be run in it. */
  get command(): readonly string[] {
    return ["nsenter", `--net=${this.path}`, "--"];
  }

  /** Runs a command in it. @returns what it printed. @throws CommandError */
  run(words: readonly string[], lines: readonly string[] = []): Promise<string> {
    return runCommand([...this.command, ...words], lines.map((line) => `${line}\n`).join(""));
  }

  /** Lets go of it. Idempotent. */
  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}
