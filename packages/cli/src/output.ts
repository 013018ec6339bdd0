/** Standard output: results, and nothing else; at the pace of whoever reads it. */

import { once } from "node:events";

const EXIT_SIGPIPE = 141;

/** Ends the process without a word when nobody reads its output any more, as in `| head`. */
export function endWithReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(EXIT_SIGPIPE);
  });
}

/** A result: for programs an object on a line, for people a text. */
export function tellResult(isJson: boolean, result: object, text: string): void {
  console.log(isJson ? JSON.stringify(result) : text);
}

/** Returns when there is room for more. */
export async function writeLines(lines: readonly string[]): Promise<void> {
  if (lines.length === 0 || process.stdout.write(`${lines.join("\n")}\n`)) return;
  await once(process.stdout, "drain");
}
