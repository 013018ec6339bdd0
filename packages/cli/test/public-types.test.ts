// Goal: who installs the packages, and checks all types with nothing left out, finds no fault.
// Method: a project of its own, with what each package publishes and the dependencies that it
// declares, and no others; the compiler.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { scratch } from "./kit/quorumlog.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const SCOPE = "@quorumlog/";

interface Manifest {
  readonly name: string;
  readonly files: readonly string[];
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** As a strict installer has it: what is not declared is not there. */
function install(modules: string, folder: string): readonly string[] {
  const source = join(ROOT, "packages", folder);
  const {
    name,
    files,
    exports,
    dependencies = {},
  } = JSON.parse(readFileSync(join(source, "package.json"), "utf8")) as Manifest;
  for (const file of [...files, "package.json"])
    if (file !== "src")
      cpSync(join(source, file), join(modules, name, file), {
        recursive: true,
        filter: (path) => !path.endsWith(".tsbuildinfo"),
      });
  const own = join(modules, name, "node_modules");
  const require = createRequire(join(source, "package.json"));
  for (const other of Object.keys(dependencies).filter((each) => !each.startsWith(SCOPE))) {
    mkdirSync(dirname(join(own, other)), { recursive: true });
    const paths = require.resolve.paths(other) ?? [];
    const found = paths.find((path) => readable(join(path, other, "package.json")));
    symlinkSync(join(found ?? "", other), join(own, other));
  }
  return Object.keys(exports).map((entry) => join(name, entry));
}

function readable(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch {
    // It is looked for in several places.
    return false;
  }
}

test("a strict project compiles with every entry of every package", () => {
  const folder = scratch(onTestFinished);
  const modules = join(folder, "node_modules");
  const entries = readdirSync(join(ROOT, "packages")).flatMap((each) => install(modules, each));
  mkdirSync(join(modules, "@types"));
  symlinkSync(join(ROOT, "node_modules/@types/node"), join(modules, "@types/node"));
  const compilerOptions = {
    strict: true,
    skipLibCheck: false,
    module: "nodenext",
    target: "es2022",
    noEmit: true,
    types: ["node"],
  };
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", private: true }));
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions }));
  const imports = entries.map((entry, i) => `export * as entry${i} from "${entry}";`);
  writeFileSync(join(folder, "entries.ts"), imports.join("\n"));
  const use = `
    import { Admin, OperationError, Producer, type SendReceipt } from "@quorumlog/client";

    await using producer = await Producer.open({ nameServers: ["a:1"], producerGroup: "g" });
    const receipt: SendReceipt = await producer.send("orders", { body: "x" });
    await using admin = await Admin.open({ nameServers: ["a:1"] });
    const { voterNodeIds } = await admin.removeNode({ groupId: 1, nodeId: 2 });
    const ids: readonly number[] = voterNodeIds;
    const error = new OperationError("TIMEOUT", "late");
    console.log(receipt.offset, ids, error.outcome satisfies "not-applied" | "unknown");
  `;
  writeFileSync(join(folder, "use.ts"), use);

  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  const { stdout, status } = spawnSync(process.execPath, [compiler, "-p", folder], {
    encoding: "utf8",
  });

  expect(entries.length).toBeGreaterThan(10);
  expect(stdout).toBe("");
  expect(status).toBe(0);
}, 120_000);
