/** Node.js behind another command, which becomes it: `nsenter --net=FILE -- node main.js`. */

import type { ForkOptions } from "node:child_process";

/** @param command - Its first words; none: Node.js alone. */
export function nodeBehind(
  command: readonly string[],
): Required<Pick<ForkOptions, "execArgv" | "execPath">> {
  const [first, ...others] = command;
  if (first === undefined) return { execPath: process.execPath, execArgv: [] };
  return { execPath: first, execArgv: [...others, process.execPath] };
}
