// Goal: the packages form the graph the architecture draws, and see of each other only the surface.
// Method: compare manifests and import specifiers with the table below.
import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path/posix";
import { describe, expect, test } from "vitest";
import { filesEndingIn, foldersIn, importsOf, readJson, ROOT } from "./repository.ts";

/** What each package may import. A package that is missing here has no place in the graph yet. */
const GRAPH: Readonly<Record<string, readonly string[]>> = {
  broker: ["log", "nameserver", "protocol", "replica", "std", "tables"],
  cli: ["broker", "client", "log", "nameserver", "protocol"],
  client: ["nameserver", "protocol", "std"],
  log: ["std"],
  nameserver: ["protocol", "std", "transport"],
  protocol: ["std"],
  raft: ["std"],
  replica: ["log", "raft", "std", "transport"],
  std: [],
  tables: ["replica", "std"],
  transport: ["std"],
};

/** Libraries of others: each has one package that knows of it. */
const FOREIGN: Readonly<Record<string, readonly string[]>> = {
  protocol: [
    "@grpc/grpc-js",
    "@grpc/proto-loader",
    "@grpc/reflection",
    "grpc-health-check",
    "protobufjs",
  ],
  tables: ["lmdb"],
};

/** Packages that know what machine they run on; the others are pure. */
const PLATFORM: ReadonlySet<string> = new Set([
  "broker",
  "cli",
  "client",
  "log",
  "nameserver",
  "protocol",
  "replica",
  "tables",
  "transport",
]);

const SCOPE = "@quorumlog/";
const sources = filesEndingIn(".ts");
const licenses = filesEndingIn("LICENSE");

/** A library, or an entry of one. */
function isForeign(name: string, specifier: string): boolean {
  const libraries = FOREIGN[name] ?? [];
  return libraries.some((library) => `${specifier}/`.startsWith(`${library}/`));
}

/** A package, or the messages that it has the codecs of. */
function isOf(name: string, specifier: string): boolean {
  return specifier === SCOPE + name || specifier === `${SCOPE}${name}/messages`;
}

test("every package has a place in the graph, and the graph names no other", () => {
  expect(foldersIn("packages")).toEqual(Object.keys(GRAPH).toSorted());
});

describe.each(Object.entries(GRAPH))("%s", (name, allowed) => {
  test("declares exactly the dependencies the graph gives it", () => {
    const manifest = readJson(`packages/${name}/package.json`) as { dependencies?: object };

    const declared = Object.keys(manifest.dependencies ?? {});

    const others = allowed.map((other) => SCOPE + other);
    expect(declared.toSorted()).toEqual([...others, ...(FOREIGN[name] ?? [])].toSorted());
  });

  test("brings commands that are there before anything is built", () => {
    const manifest = readJson(`packages/${name}/package.json`) as { bin?: Record<string, string> };

    // npm links what is there when it installs, and makes it a program.
    const built = Object.values(manifest.bin ?? {}).filter((path) => !path.startsWith("./bin/"));
    expect(built).toEqual([]);
  });

  test("has the license that the repository has, as a tarball has what is in its folder", () => {
    const texts = new Map(licenses.map(({ path, text }) => [path, text]));

    expect(texts.get(`packages/${name}/LICENSE`)).toBe(texts.get("LICENSE"));
  });

  test("imports nothing else in its sources", () => {
    const folder = `packages/${name}/src/`;
    const inside = sources.filter(({ path }) => path.startsWith(folder));

    const strangers = inside.flatMap(({ path, text }) =>
      importsOf(text)
        .filter(({ specifier }) => !specifier.startsWith("."))
        .filter(({ specifier }) => !(PLATFORM.has(name) && specifier.startsWith("node:")))
        .filter(({ specifier }) => !allowed.some((other) => isOf(other, specifier)))
        .filter(({ specifier }) => !isForeign(name, specifier))
        // A test kit may stand on the kits below it.
        .filter(
          ({ specifier }) =>
            !path.includes("/src/testing/") ||
            !allowed.some((other) => specifier === `${SCOPE}${other}/testing`),
        )
        .map(({ specifier, line }) => `${path}:${line}: ${specifier}`),
    );

    expect(strangers).toEqual([]);
  });
});

test("every tarball has the license", { timeout: 120_000 }, () => {
  const workspaces = Object.keys(GRAPH).map((name) => `--workspace=packages/${name}`);
  const options = { cwd: ROOT, encoding: "utf8", stdio: "pipe" } as const;

  const told = execFileSync("npm", ["pack", "--dry-run", "--json", ...workspaces], options);

  const tarballs = JSON.parse(told) as { name: string; files: { path: string }[] }[];
  const licensed = tarballs.filter(({ files }) => files.some(({ path }) => path === "LICENSE"));
  const names = licensed.map(({ name }) => name.slice(SCOPE.length));
  expect(names.toSorted()).toEqual(Object.keys(GRAPH).toSorted());
});

test("no relative import leaves its workspace", () => {
  const escapes = sources.flatMap(({ path, text }) => {
    const workspace = /^(?:packages|test)\/[^/]+\/|^[^/]+\//.exec(path)?.[0] ?? "";
    return importsOf(text)
      .filter(({ specifier }) => specifier.startsWith("."))
      .filter(({ specifier }) => !join(dirname(path), specifier).startsWith(workspace))
      .map(({ specifier, line }) => `${path}:${line}: ${specifier}`);
  });

  expect(escapes).toEqual([]);
});

test("another package is imported by its name, or by its `testing` entry", () => {
  const deep = sources.flatMap(({ path, text }) =>
    importsOf(text)
      .filter(({ specifier }) => specifier.startsWith(SCOPE))
      .filter(({ specifier }) => !/^@quorumlog\/[^/]+(?:\/(?:testing|messages))?$/.test(specifier))
      .map(({ specifier, line }) => `${path}:${line}: ${specifier}`),
  );

  expect(deep).toEqual([]);
});
