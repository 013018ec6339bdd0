/** Standard output: results, and nothing else; at the pace of whoever reads it. */

import { once } from "node:events";
import { EXIT } from "./failure.ts";

const EXIT_SIGPIPE = 141;
const NEWLINE = Buffer.from("\n");

/**
 * Ends the process when its output leads nowhere: without a word if nobody reads it any more, as in
 * `| head`. What was not written is not committed: to end so is safe, as a crash is.
 */
export function endWithReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(EXIT_SIGPIPE);
    console.error(`quorumlog: the output cannot be written: ${error.message}`);
    process.exit(EXIT.failed);
  });
}

/** A result: for programs an object on a line, for people a text. */
export function tellResult(isJson: boolean, result: object, text: string): void {
  console.log(isJson ? JSON.stringify(result) : text);
}

/** Returns when there is room for more. */
export async function writeLines(lines: readonly (string | Uint8Array)[]): Promise<void> {
  if (lines.length === 0) return;
  const bytes = Buffer.concat(
    lines.flatMap((line) => [typeof line === "string" ? Buffer.from(line) : line, NEWLINE]),
  );
  if (!process.stdout.write(bytes)) await once(process.stdout, "drain");
}
