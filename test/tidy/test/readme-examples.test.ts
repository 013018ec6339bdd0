// Goal: the example in a README is what a newcomer copies first, so it compiles and runs.
// Method: cut it out, compile it under the project's own flags, run it, look at what it says. Only
// its ports are others, which are free.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "@quorumlog/transport/testing";
import { expect, onTestFinished, test } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** The code, with a free port in place of each that it names. */
async function atFreePorts(code: string): Promise<string> {
  const named = new Set([...code.matchAll(/127\.0\.0\.1:(?<port>[1-9]\d*)/gu)].map(([all]) => all));
  let result = code;
  for (const address of named) result = result.replaceAll(address, `127.0.0.1:${await freePort()}`);
  return result;
}

test.each([
  ["log", "durable up to 1\nclosed\n"],
  ["transport", "up 2\nfrom 1 hello\nclosed\n"],
  [
    "nameserver",
    "broker-a is led by node 1 at orders-1.example:7301, term 5\nno queue of orders is lost\n",
  ],
  [
    "client",
    `stored at 0, 1, 2
order 1 was ordered
order 1 was paid
order 1 was sent
`,
  ],
  ["tables", "[ [ 'log', 2 ], [ 'table', 1 ] ]\n"],
  [
    "replica",
    `order 101 is at offset 100
101 records, the first is "order 1"
101 records, the first is "order 1"
`,
  ],
])(
  "the example of packages/%s compiles, runs, and says what it should",
  async (name, expected) => {
    const readme = readFileSync(join(root, "packages", name, "README.md"), "utf8");
    const blocks = [...readme.matchAll(/```ts\n(?<code>[^]*?)```/gu)];
    expect(blocks).toHaveLength(1);
    const folder = join(root, "out", `readme-${name}`);
    mkdirSync(folder, { recursive: true });
    const code = await atFreePorts(blocks[0]?.groups?.["code"] ?? "");
    writeFileSync(join(folder, "example.ts"), code);
    const config = {
      extends: "../../tsconfig.test.json",
      compilerOptions: {
        isolatedDeclarations: false,
        allowImportingTsExtensions: false,
        noEmit: false,
        composite: false,
        declarationMap: false,
        tsBuildInfoFile: null,
        incremental: false,
        rootDir: ".",
        outDir: "dist",
        customConditions: [],
        // For protobufjs, whose types have an `export =`.
        skipLibCheck: name === "client",
      },
      files: ["example.ts"],
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
    const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
    execFileSync(process.execPath, [compiler, "-p", folder], { stdio: "pipe" });

    const cwd = mkdtempSync(join(tmpdir(), "quorumlog-readme-"));
    onTestFinished(() => {
      rmSync(cwd, { recursive: true, force: true });
    });
    const program = join(folder, "dist", "example.js");
    const said = execFileSync(process.execPath, [program], { cwd, encoding: "utf8" });

    expect(said).toBe(expected);
  },
  30_000,
);

/** In order. */
function programsOf(...path: readonly string[]): (string | undefined)[] {
  const readme = readFileSync(join(root, ...path), "utf8");
  return [...readme.matchAll(/```ts\n(?<code>[^]*?)```/gu)].map((match) => match.groups?.["code"]);
}

test("the project's README shows the programs of packages/client and packages/replica", () => {
  const packages = ["client", "replica"];

  const programs = packages.flatMap((name) => programsOf("packages", name, "README.md"));

  expect(programsOf("README.md")).toEqual(programs);
});
