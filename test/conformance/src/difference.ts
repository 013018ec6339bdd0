/** Two texts side by side, line by line, for a person to read. */

/** How many equal lines are shown around those that differ. */
const CONTEXT = 3;

/**
 * The lines of both texts: `-` before what only `expected` has, `+` before what only `actual` has.
 * Long runs of equal lines are left out.
 */
export function lineDifference(expected: string, actual: string): string[] {
  const lines = alignedLines(expected, actual);
  const isNear = (at: number): boolean =>
    lines.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some((line) => !line.startsWith(" "));
  const result: string[] = [];
  for (const [at, line] of lines.entries()) {
    if (isNear(at)) result.push(line);
    else if (result.at(-1) !== "  …") result.push("  …");
  }
  return result;
}

function alignedLines(expected: string, actual: string): string[] {
  const left = linesOf(expected);
  const right = linesOf(actual);
  const common = commonLengths(left, right);
  const lengthAt = (i: number, j: number): number => common[i]?.[j] ?? 0;
  const result: string[] = [];
  let i = 0;
  let j = 0;
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i] === right[j]) {
      result.push(`  ${left[i]}`);
      i += 1;
      j += 1;
    } else if (
      j === right.length ||
      (i < left.length && lengthAt(i + 1, j) >= lengthAt(i, j + 1))
    ) {
      result.push(`- ${left[i]}`);
      i += 1;
    } else {
      result.push(`+ ${right[j]}`);
      j += 1;
    }
  }
  return result;
}

function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

/** At `[i][j]`, the length of the longest common subsequence of both ends from there on. */
function commonLengths(left: readonly string[], right: readonly string[]): number[][] {
  const table = Array.from({ length: left.length + 1 }, () =>
    Array.from({ length: right.length + 1 }, () => 0),
  );
  for (let i = left.length - 1; i >= 0; i--) {
    const row = table[i] as number[];
    const below = table[i + 1] as number[];
    for (let j = right.length - 1; j >= 0; j--) {
      const isCommon = left[i] === right[j];
      row[j] = isCommon
        ? (below[j + 1] as number) + 1
        : Math.max(below[j] as number, row[j + 1] as number);
    }
  }
  return table;
}
