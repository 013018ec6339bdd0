/** Standard output, at the pace of whoever reads it, until they stop. */

import { once } from "node:events";

const SIGPIPE_EXIT_CODE = 141;
const CHUNK_CHARACTERS = 64 * 1024;

/**
 * Ends the process without a word when nobody reads its output any more, as in `| head`: with the
 * verdict if there is one by then, else with what a shell reports of SIGPIPE.
 */
export function endWithReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(process.exitCode ?? SIGPIPE_EXIT_CODE);
  });
}

/** Writes lines, a chunk at a time; no line is asked for before there is room for it. */
export async function writeLines(lines: Iterable<string>): Promise<void> {
  let chunk = "";
  for (const line of lines) {
    chunk += `${line}\n`;
    if (chunk.length < CHUNK_CHARACTERS) continue;
    await writeText(chunk);
    chunk = "";
  }
  await writeText(chunk);
}

/** On one line; `null` for what is not there, so that every field always is. */
export function jsonOf(value: object): string {
  return JSON.stringify(value, (_key, field: unknown) => field ?? null);
}

async function writeText(text: string): Promise<void> {
  if (text.length === 0 || process.stdout.write(text)) return;
  await once(process.stdout, "drain");
}

/** Columns as wide as their widest cell, those that hold numbers to the right. */
export function tableOf(rows: readonly (readonly (string | number)[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => String(row[column] ?? "").length)),
  );
  const isNumeric = widths.map((_, column) => rows.some((row) => typeof row[column] === "number"));
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        const text = String(cell);
        return isNumeric[column] === true ? text.padStart(width) : text.padEnd(width);
      })
      .join("  ")
      .trimEnd(),
  );
}
