// Goal: a patch reaches the copy of the sources from whatever folder it was written in, and nothing
// outside of that copy.
// Method: a folder of a few small files, removed afterwards.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PatchError } from "../src/patch.ts";
import { plant } from "../src/plant.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "quorumlog-plant-"));
  write("packages/raft/src/quorum.ts", "before\nright\nafter\n");
  write("packages/raft/src/testing/index.ts", "right\n");
  write("packages/log/src/segment.ts", "right\n");
  for (const name of ["log", "transport"]) write(`packages/${name}/src/frame.ts`, "right\n");
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

test.each([
  "a/packages/raft/src/quorum.ts",
  "packages/raft/src/quorum.ts",
  "./packages/raft/src/quorum.ts",
  "/home/me/quorumlog/packages/raft/src/quorum.ts",
  "quorum.ts",
  "a/quorum.ts",
  "./quorum.ts",
  "src/quorum.ts",
  "a/src/quorum.ts",
  "raft.orig/quorum.ts",
])("from %s", (path) => {
  plant(diff(path, "@@ -1,3 +1,3 @@\n before\n-right\n+wrong\n after\n"), folder);

  expect(read("packages/raft/src/quorum.ts")).toBe("before\nwrong\nafter\n");
});

test("into whichever packages it names, and says into which", () => {
  const hunks = "@@ -1 +1 @@\n-right\n+wrong\n";

  const places = plant(
    diff("a/packages/transport/src/frame.ts", hunks) + diff("a/segment.ts", hunks),
    folder,
  );

  expect(places).toEqual(["log", "transport"]);
  expect(read("packages/transport/src/frame.ts")).toBe("wrong\n");
  expect(read("packages/log/src/frame.ts")).toBe("right\n");
  expect(read("packages/log/src/segment.ts")).toBe("wrong\n");
});

test("into a folder below", () => {
  plant(diff("a/packages/raft/src/testing/index.ts", "@@ -1 +1 @@\n-right\n+wrong\n"), folder);

  expect(read("packages/raft/src/testing/index.ts")).toBe("wrong\n");
});

test("files come, go and are renamed", () => {
  plant(
    `--- /dev/null
+++ b/packages/raft/src/new/file.ts
@@ -0,0 +1 @@
+new
--- a/packages/raft/src/testing/index.ts
+++ /dev/null
@@ -1 +0,0 @@
-right
diff --git a/packages/raft/src/quorum.ts b/packages/raft/src/votes.ts
rename from packages/raft/src/quorum.ts
rename to packages/raft/src/votes.ts
`,
    folder,
  );

  const sources = join(folder, "packages/raft/src");
  expect(readdirSync(sources, { recursive: true }).map(String).toSorted()).toEqual([
    "new",
    "new/file.ts",
    "testing",
    "votes.ts",
  ]);
});

test.each([
  ["a file that is not there", "a/packages/raft/src/nothing.ts"],
  ["another package", "a/packages/other/src/quorum.ts"],
  ["a file that two packages have", "a/frame.ts"],
  ["a way out", "a/packages/raft/src/../../std/src/quorum.ts"],
  ["an absolute path", "/etc/quorum.ts"],
])("%s is refused", (_name, path) => {
  expect(() => {
    plant(diff(path, "@@ -1 +1 @@\n-right\n+wrong\n"), folder);
  }).toThrow(PatchError);
});

test("the message names the file and shows the hunk that does not fit", () => {
  expect(() => {
    plant(diff("a/packages/raft/src/quorum.ts", "@@ -1 +1 @@\n-left\n+wrong\n"), folder);
  }).toThrow(/packages\/raft\/src\/quorum\.ts: hunk 1 does not fit\n {4}-left\n {4}\+wrong/);
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

function read(path: string): string {
  return readFileSync(join(folder, path), "utf8");
}

function diff(path: string, hunks: string): string {
  return `--- ${path}\n+++ ${path.replace(/^a\//, "b/")}\n${hunks}`;
}
