// Goal: the example in the README is what a newcomer copies first, so it compiles and runs.
// Method: cut it out, check it with the project's own compiler flags, run it, compare what it says.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { format } from "node:util";
import { expect, test, vi } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

function onlyExample(): string {
  const blocks = [...readme.matchAll(/```ts\n(?<code>[^]*?)```/gu)];
  expect(blocks).toHaveLength(1);
  return blocks[0]?.groups?.["code"] ?? "";
}

test("the example compiles under the project's flags, runs, and prints what it says", async () => {
  const folder = join(root, "out", "readme-example");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "example.ts");
  writeFileSync(file, `${onlyExample()}export {};\n`);
  const config = {
    extends: "../../tsconfig.test.json",
    compilerOptions: { isolatedDeclarations: false },
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  execFileSync(process.execPath, [compiler, "-p", folder], { stdio: "pipe" });

  const printed: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((...words: unknown[]) => {
    printed.push(format(...words));
  });
  try {
    await import(/* @vite-ignore */ pathToFileURL(file).href);
  } finally {
    log.mockRestore();
  }
  const promised = /^\/\/ (?<line>appended .*)$/mu.exec(readme)?.groups?.["line"];
  expect(printed).toEqual([promised]);
}, 30_000);
