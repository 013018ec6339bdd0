/** Short commands of the machine, which are given their input at once and say something back. */

import { spawn } from "node:child_process";
import { ownChild } from "@quorumlog/integration/testing";

/** A command that could not be run, has failed, or took too long. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}

const COMMAND_MS_MAX = 30_000;
/** Of what a command has to say of its failure. */
const WORDS_LENGTH_MAX = 300;

/** @returns what it printed. @throws CommandError */
export function runCommand(words: readonly string[], input = ""): Promise<string> {
  const [name = "", ...args] = words;
  return new Promise((resolve, reject) => {
    const child = spawn(name, args);
    ownChild(child);
    const timer = setTimeout(() => child.kill("SIGKILL"), COMMAND_MS_MAX);
    let output = "";
    let complaint = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
    const fail = (why: string): void => {
      clearTimeout(timer);
      reject(new CommandError(`${words.join(" ")}: ${why.slice(0, WORDS_LENGTH_MAX)}`));
    };
    child.once("error", (error) => {
      fail(error.message);
    });
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(output);
      else fail(complaint.trim() || (signal ?? `exit ${code}`));
    });
    // One that ends before it has read everything says why by its exit code.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
}
