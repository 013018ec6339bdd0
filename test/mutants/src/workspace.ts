/**
 * Copies of the project, small enough to make one for each bug.
 *
 * The sources of the checkout are never touched, and a copy never runs the checkout's: in its
 * `node_modules` the project's own packages lead to the copy, only those of others lead out of it.
 */

import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { runNode } from "./command.ts";
import { ending } from "./stage.ts";

const PROJECT = fileURLToPath(new URL("../../../", import.meta.url));

/** What the tests need; `dist` and build records are made anew. */
const FOLDERS = [
  "packages/std",
  "packages/raft",
  "packages/log",
  "packages/transport",
  "packages/replica",
  "packages/tables",
  "packages/protocol",
  "packages/nameserver",
  "packages/broker",
  "packages/client",
  "test/simulation",
  "test/conformance",
  "test/cluster",
  "test/mutants",
];
/** What tests compare the sources with. */
const SPECIFICATIONS = ["proto", "docs/errors.md"];
const FILES = [
  "package.json",
  "tsconfig.base.json",
  "tsconfig.test.json",
  "vitest.config.ts",
  // Which the one before imports.
  "test/tidy/test/skipped-tests.ts",
];

const SCOPE = "@quorumlog";
const BUILD_SECONDS_MAX = 300;

/** The copy is of no use: it does not build, or it is not one. */
export class WorkspaceError extends Error {
  override readonly name = "WorkspaceError";
}

export interface BuildResult {
  /** What the compiler said, if it did not like something. */
  readonly problems: string | undefined;
}

export class Workspace {
  readonly folder: string;
  readonly #packages: readonly string[];

  private constructor(folder: string, packages: readonly string[]) {
    this.folder = folder;
    this.#packages = packages;
  }

  /**
   * Copies the checkout as it is on disk, and builds that.
   *
   * @param further - Folders of packages that are needed beside those that every bug is tried with.
   */
  static async template(parent: string, further: readonly string[] = []): Promise<Workspace> {
    const packages = [...FOLDERS, ...further];
    const workspace = new Workspace(join(parent, "unchanged"), packages);
    const { folder } = workspace;
    mkdirSync(folder);
    for (const file of FILES) cpSync(join(PROJECT, file), join(folder, file));
    for (const path of packages)
      cpSync(join(PROJECT, path), join(folder, path), { recursive: true, filter: isSource });
    for (const path of SPECIFICATIONS)
      cpSync(join(PROJECT, path), join(folder, path), { recursive: true });
    linkModules(folder, packages);
    const { problems } = await workspace.build(packages);
    if (problems !== undefined)
      throw new WorkspaceError(`the sources do not build, with no bug planted\n${problems}`);
    workspace.#assertSelfContained();
    return workspace;
  }

  /** A copy of this copy, build results included. */
  copy(folder: string): Workspace {
    const options = { recursive: true, verbatimSymlinks: true, preserveTimestamps: true };
    cpSync(this.folder, folder, options);
    const workspace = new Workspace(folder, this.#packages);
    workspace.#assertSelfContained();
    return workspace;
  }

  /**
   * Compiles what has changed. Errors of type do not keep the output from being written.
   *
   * @throws {@link WorkspaceError} if the compiler was killed: what it wrote by then is no build.
   */
  async build(projects: readonly string[]): Promise<BuildResult> {
    const argv = ["node_modules/typescript/bin/tsc", "-b", "--pretty", "false", ...projects];
    const result = await runNode(argv, { cwd: this.folder, silenceSeconds: BUILD_SECONDS_MAX });
    if (result.exitCode === undefined)
      throw new WorkspaceError(`the compiler did not end by itself: ${ending(result)}`);
    const problems = result.exitCode === 0 ? undefined : (result.stdout + result.stderr).trim();
    return { problems };
  }

  /** Else a bug would be planted in one place and looked for in another. */
  #assertSelfContained(): void {
    const inside = realpathSync(this.folder) + sep;
    for (const folder of this.#packages) {
      const from = createRequire(join(this.folder, folder, "package.json"));
      for (const name of manifestOf(this.folder, folder).dependencies) {
        if (!name.startsWith(`${SCOPE}/`)) continue;
        // By folders: a package may have no entry of its own name.
        const places = (from.resolve.paths(name) ?? []).map((each) => join(each, name));
        const resolved = realpathSync(places.find((each) => existsSync(each)) ?? name);
        if (!resolved.startsWith(inside))
          throw new WorkspaceError(`seen from ${folder}, ${name} is ${resolved}`);
      }
    }
  }
}

/** A folder for the copies; the caller removes it. */
export function makeParentFolder(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), "quorumlog-mutants-")));
}

function isSource(path: string): boolean {
  const name = basename(path);
  return name !== "dist" && name !== "node_modules" && !name.endsWith(".tsbuildinfo");
}

function linkModules(folder: string, packages: readonly string[]): void {
  const outside = join(PROJECT, "node_modules");
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, SCOPE), { recursive: true });
  for (const name of readdirSync(outside))
    if (name !== SCOPE && !name.startsWith("."))
      symlinkSync(join(outside, name), join(modules, name));
  for (const path of packages) {
    // A package may have dependencies of its own, in a version that the others do not share.
    const own = join(PROJECT, path, "node_modules");
    if (existsSync(own)) symlinkSync(own, join(folder, path, "node_modules"));
    // Relative, so that a copy of the copy leads to itself.
    symlinkSync(join("..", "..", path), join(modules, manifestOf(folder, path).name));
  }
}

function manifestOf(root: string, path: string): { name: string; dependencies: string[] } {
  const { name, dependencies = {} } = JSON.parse(
    readFileSync(join(root, path, "package.json"), "utf8"),
  ) as { name: string; dependencies?: Readonly<Record<string, string>> };
  return { name, dependencies: Object.keys(dependencies) };
}
