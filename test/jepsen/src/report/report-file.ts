/**
 * The report as one file: style, data and the scripts of the page are within it, so that it can be
 * opened from a disk, mailed and kept.
 *
 * The scripts are modules that import each other. An import map gives each a name and holds its
 * text as an address, so that none of them has to be fetched.
 */

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RunFolder } from "../run/run-folder.ts";
import { RunFolderError } from "../run/line-shape.ts";
import type { ReportData } from "./page/report-data.ts";
import { buildReport } from "./report-builder.ts";

/** The same from the sources and from what was built of them. */
const PACKAGE = fileURLToPath(new URL("../../", import.meta.url));
const MODULES = join(PACKAGE, "dist/report/page");
const STYLE = join(PACKAGE, "src/report/page/page.css");

/**
 * Writes `report.html` into a run's folder.
 *
 * @returns where it is.
 * @throws RunFolderError, HistoryError if the folder is not that of a run
 */
export function writeReport(folder: string): string {
  const path = join(folder, "report.html");
  writeFileSync(path, pageOf(buildReport(new RunFolder(folder))));
  return path;
}

function pageOf(data: ReportData): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(data.title)}</title>
<link rel="icon" href="data:,">
<style>${readFileSync(STYLE, "utf8")}</style>
<script type="importmap">${escapeScript(JSON.stringify({ imports: modules() }))}</script>
</head>
<body>
<noscript>This page draws itself, and needs JavaScript for that.</noscript>
<main id="report"></main>
<script type="application/json" id="data">${escapeScript(JSON.stringify(data))}</script>
<script type="module">import "page/main.js";</script>
</body>
</html>
`;
}

/** Addresses that hold the text of a module, by its name. */
function modules(): Record<string, string> {
  if (!existsSync(join(MODULES, "main.js")))
    throw new RunFolderError("the page of reports is not built: npm run build");
  const names = readdirSync(MODULES).filter((name) => name.endsWith(".js"));
  return Object.fromEntries(
    names.map((name) => {
      // A module without a place has no relatives: it imports others by their names.
      const text = readFileSync(join(MODULES, name), "utf8")
        .replaceAll(/(?<=\bfrom ")\.\//gu, "page/")
        .replaceAll(/(?<=^import ")\.\//gmu, "page/");
      const base64 = Buffer.from(text, "utf8").toString("base64");
      return [`page/${name}`, `data:text/javascript;charset=utf-8;base64,${base64}`];
    }),
  );
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

/** The only thing that ends a script is its end tag, and JSON can do without `<`. */
function escapeScript(json: string): string {
  return json.replaceAll("<", String.raw`\u003c`);
}
