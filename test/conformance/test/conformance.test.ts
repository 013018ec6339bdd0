// Goal: the command's verdict can be trusted by a script: its last line and its exit code.
// Method: run it on folders made for the purpose.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { runConformance } from "../src/conformance.ts";

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function folderIn(parent: string, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(parent, "conformance-"));
  folders.push(folder);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

const folderWith = (files: Readonly<Record<string, string>>): string => folderIn(tmpdir(), files);

async function run(
  ...argv: readonly string[]
): Promise<{ code: number; lines: string[]; complaint: string }> {
  const lines: string[] = [];
  let complaint = "";
  const code = await runConformance(argv, {
    print: (line) => lines.push(line),
    complain: (line) => (complaint += line),
  });
  return { code, lines, complaint };
}

const RIGHT = "vote cfg=(1) votes=(y)\n----\nVoteWon\n";
const WRONG = "vote cfg=(1) votes=(y)\n----\nVoteLost\n";

describe("the verdict", () => {
  test("is success when all directives pass, in every grammar", async () => {
    const folder = folderWith({
      "interaction/a.txt": "log-level none\n----\nok\n",
      "confchange/b.txt": "leave-joint\n----\ncan't leave a non-joint config\n",
      "quorum/c.txt": RIGHT,
      "d.txt": "raft-state\n----\nok\n",
    });

    const { code, lines } = await run("--dir", folder);

    expect(lines.at(-1)).toBe("4 passed, 0 failed");
    expect(code).toBe(0);
  });

  test("is failure when one fails, with file, line, command and difference", async () => {
    const folder = folderWith({ "quorum/c.txt": `${RIGHT}\n${WRONG}` });

    const { code, lines } = await run("--dir", folder);

    expect(lines).toContain(`${join(folder, "quorum/c.txt")}:5: vote cfg=(1) votes=(y)`);
    expect(lines).toContain("    - VoteLost");
    expect(lines).toContain("    + VoteWon");
    expect(lines.at(-1)).toBe("1 passed, 1 failed");
    expect(code).toBe(1);
  });

  test("is failure when a file is not a script", async () => {
    const folder = folderWith({ "quorum/c.txt": `${RIGHT}\nvote cfg=(1` });

    const { code, lines } = await run("--dir", folder);

    expect(lines.at(-1)).toBe("0 passed, 1 failed");
    expect(code).toBe(1);
  });

  test("is failure when there is nothing to replay", async () => {
    const { code, lines } = await run("--dir", folderWith({}));

    expect(lines.at(-1)).toBe("0 passed, 0 failed");
    expect(code).toBe(1);
  });

  test("covers several folders, and only the scripts that are asked for", async () => {
    const left = folderWith({ "quorum/one.txt": RIGHT, "quorum/two.txt": WRONG });
    const right = folderWith({ "quorum/one.txt": RIGHT });

    const { code, lines } = await run("--dir", left, `--dir=${right}`, "--filter", "one");

    expect(lines.at(-1)).toBe("2 passed, 0 failed");
    expect(code).toBe(0);
  });
});

describe("the command line", () => {
  test.each([
    [["--colour"], "there is no flag --colour"],
    [["quorum"], '"quorum" is not a flag'],
    [["--dir"], "--dir wants a value"],
    [["--help=1"], "--help takes no value"],
    [["--dir", "/nowhere/at/all"], "/nowhere/at/all is not a folder"],
  ])("%j is refused", async (argv, complaint) => {
    const result = await run(...argv);

    expect(result.complaint).toContain(complaint);
    expect(result.code).toBe(2);
    expect(result.lines).toEqual([]);
  });

  test("explains itself", async () => {
    const { code, lines } = await run("--help");

    expect(lines.join("\n")).toContain("--rewrite");
    expect(code).toBe(0);
  });
});

describe("recording", () => {
  test("is refused outside the project, and nothing is written", async () => {
    const folder = folderWith({ "quorum/c.txt": WRONG });

    const { code, complaint } = await run("--rewrite", "--dir", folder);

    expect(complaint).toContain("is not the project's");
    expect(code).toBe(2);
    expect(readFileSync(join(folder, "quorum/c.txt"), "utf8")).toBe(WRONG);
  });

  test("replaces expectations inside the project", async () => {
    const here = fileURLToPath(new URL(".", import.meta.url));
    const folder = folderIn(here, { "quorum/c.txt": WRONG });

    const { code, lines } = await run("--rewrite", "--dir", folder);

    expect(lines.at(-1)).toBe("1 passed, 0 failed");
    expect(code).toBe(0);
    expect(readFileSync(join(folder, "quorum/c.txt"), "utf8")).toBe(RIGHT);
  });
});
