/** Rows for people, in columns: those of numbers to the right. */

export function tableOf(
  heads: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const texts = [heads, ...rows].map((row) => row.map(String));
  const widths = heads.map((_, i) => Math.max(...texts.map((row) => (row[i] ?? "").length)));
  const isNumber = heads.map((_, i) => rows.some((row) => typeof row[i] === "number"));
  return texts
    .map((row) =>
      row
        .map((cell, i) => {
          const width = widths[i] ?? 0;
          return isNumber[i] === true ? cell.padStart(width) : cell.padEnd(width);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
