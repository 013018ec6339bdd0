/** `npm run bench -- core`: how fast the core is, and what it allocates. */

import { Bench } from "tinybench";
import { allocatedBytes } from "./allocation.ts";
import { coreCases, type CoreCase } from "./core-cases.ts";
import { type CoreRow, drawCore } from "./drawings/core-drawing.ts";
import { writeOutcome } from "./outcome/outcome.ts";

export async function runCoreBench(options: { readonly timeMs: number }): Promise<void> {
  const cases = coreCases();
  const rows: CoreRow[] = [];
  for (const [position, entry] of cases.entries()) {
    showProgress(`[${position + 1}/${cases.length}] ${entry.name}`);
    rows.push(await measure(entry, options.timeMs, rows[0]?.perSecond));
  }
  showProgress("");
  print(rows);
  await writeOutcome({ bench: "core", results: { timeMs: options.timeMs, rows }, draw: drawCore });
}

/** One line that is written over, where somebody may be looking. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${text.padEnd(90)}\r`);
}

async function measure(
  entry: CoreCase,
  timeMs: number,
  bare: number | undefined,
): Promise<CoreRow> {
  let run = entry.prepare();
  const bench = new Bench({ time: timeMs, warmupTime: timeMs / 4, throws: true });
  bench.add(entry.name, () => run(), {
    beforeEach() {
      run = entry.prepare();
    },
  });
  await bench.run();
  const result = bench.tasks[0]?.result;
  if (result === undefined || result.state !== "completed")
    throw new Error(`${entry.name}: no result`);
  const { p50, p75 } = result.latency;
  const perSecond = (entry.operations / p50) * 1_000;
  return {
    name: entry.name,
    unit: entry.unit,
    perSecond,
    spread: (p75 - p50) / p50,
    bytesEach: allocatedBytes(() => entry.prepare()) / entry.operations,
    ofBare: bare === undefined ? 1 : perSecond / bare,
  };
}

function print(rows: readonly CoreRow[]): void {
  const width = Math.max(...rows.map((row) => row.name.length));
  console.log(`${"".padEnd(width)}    median/s   spread   bytes each   of bare`);
  for (const row of rows) {
    const perSecond = Math.round(row.perSecond).toLocaleString("en-US").padStart(12);
    const spread = `${Math.round(row.spread * 100)} %`.padStart(9);
    const bytes = Math.round(row.bytesEach).toLocaleString("en-US").padStart(13);
    const ofBare = row.unit === "step" ? row.ofBare.toFixed(2).padStart(10) : "".padStart(10);
    console.log(`${row.name.padEnd(width)}${perSecond}${spread}${bytes}${ofBare}  per ${row.unit}`);
  }
}
