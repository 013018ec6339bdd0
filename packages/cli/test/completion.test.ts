// Goal: a shell completes what the table of commands has, and nothing that is not there.
// Method: have the shells that are on this machine run the script; the text of all three.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { COMMANDS } from "../src/command-table.ts";
import { completionScript, SHELLS } from "../src/completion.ts";
import { flagName } from "../src/setting-spec.ts";
import { scratch } from "./kit/quorumlog.ts";

/** What bash would offer behind these words. */
function offered(...words: string[]): string[] {
  const script = join(scratch(onTestFinished), "complete.bash");
  const typed = ["quorumlog", ...words].map((word) => `"${word}"`).join(" ");
  const call = `COMP_WORDS=(${typed}); COMP_CWORD=${words.length}; _quorumlog`;
  const text = completionScript("bash", COMMANDS);
  writeFileSync(script, `${text}\n${call}\nprintf '%s\\n' "\${COMPREPLY[@]}"\n`);
  return execFileSync("bash", [script], { encoding: "utf8" }).trimEnd().split("\n");
}

test.each(SHELLS)("the script for %s names every command, and every flag of it", (shell) => {
  const script = completionScript(shell, COMMANDS);

  for (const { name, settings } of COMMANDS) {
    for (const word of name.split(" ")) expect(script).toContain(word);
    for (const setting of Object.keys(settings)) expect(script).toContain(flagName(setting));
  }
});

test("bash completes commands, flags and their values", () => {
  expect(offered("to")).toEqual(["topic"]);
  expect(offered("topic", "")).toEqual(["create", "list", "show", "alter", "delete"]);
  expect(offered("topic", "create", "orders", "--qu")).toEqual(["--queues"]);
  expect(offered("topic", "create", "--type", "f")).toEqual(["fifo"]);
  expect(offered("broker", "--flush", "")).toEqual(["sync", "async"]);
  expect(offered("completion", "f")).toEqual(["fish"]);
  expect(offered("up", "--de")).toEqual(["--demo"]);
});
