// Goal: `quorumlog up` is a cluster that its operator can trust: it goes on with its data, says
// what has ended and how to bring it back, and leaves nothing behind, however it ends itself.
// Method: real processes; one cluster of one group of two nodes, and what is done to it in turn.
import { existsSync, readFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { isAlive, jsonOf, quorumlog, Running, scratch, until } from "./kit/quorumlog.ts";
import { startUp } from "./kit/up.ts";

/** Of a node, by `--json`. */
interface Told {
  readonly pid: number;
}

/** As it has told. */
function childrenOf(running: Running): number[] {
  return [...running.text.matchAll(/is process (?<pid>\d+)/gu)].map(([, pid]) => Number(pid));
}

test("a cluster is started, disturbed, killed, and started again with its data", async () => {
  const folder = scratch(onTestFinished);
  const dataDir = `${folder}/cluster`;
  const first = await startUp(dataDir, ["--nodes", "2"]);
  onTestFinished(() => {
    first.running.stop("SIGKILL").catch(() => undefined);
  });
  const cluster = ["--name-servers", first.nameServer];
  expect(first.running.text).toContain("npx quorumlog produce orders");

  // A second one on the same data is told who has it.
  const second = await quorumlog(["up", "--data", dataDir]);
  expect(second.code).toBe(2);
  expect(second.stderr).toContain(`is in use by process ${first.running.pid}`);

  await jsonOf(["topic", "create", "orders", ...cluster]);
  const produced = await quorumlog(["produce", "orders", ...cluster], { input: "a\nb\nc\n" });
  expect(produced).toMatchObject({ code: 0, stdout: "3 messages are stored\n" });

  // A child that dies is shown, with its last words and the command that brings it back.
  const pids = childrenOf(first.running);
  expect(pids).toHaveLength(3);
  const broker = pids.at(-1) ?? 0;
  process.kill(broker, "SIGKILL");
  await first.running.line(/broker-a-\d has ended: SIGKILL/u);
  await first.running.line(/^ {2}\| \S/u);
  await until("the NameServer says so, too", () =>
    readFileSync(`${dataDir}/logs/nameserver-1.log`, "utf8").includes('"event":"left"'),
  );
  const down = await quorumlog(["cluster", "status", ...cluster]);
  expect(down.code).toBe(1);
  // Where to look for it.
  expect(down.stdout).toMatch(/^broker-a .* down .* 127\.0\.0\.1:\d+$/mu);
  const hint = await first.running.line(/start it again: npx quorumlog broker --config/u);
  const config = hint.split("--config ").at(-1) ?? "";
  const byHand = new Running(["broker", "--config", config]);
  onTestFinished(() => {
    byHand.stop("SIGKILL").catch(() => undefined);
  });
  await first.running.line(/node \d is down/u);
  await until("it is back", async () => {
    const { code } = await quorumlog(["cluster", "status", ...cluster]);
    return code === 0;
  });
  expect((await byHand.stop()).code).toBe(0);

  // Its children do not outlive it.
  const left = pids.filter((pid) => isAlive(pid));
  expect(left).toHaveLength(2);
  await first.running.stop("SIGKILL");
  await until("the children have ended", () => left.every((pid) => !isAlive(pid)));

  const again = await startUp(dataDir);
  onTestFinished(() => {
    again.running.stop("SIGKILL").catch(() => undefined);
  });
  const consumed = await quorumlog(["consume", "orders", ...cluster]);
  expect(consumed.stdout.trimEnd().split("\n").toSorted()).toEqual(["a", "b", "c"]);

  // An interrupt ends all of them, in order.
  const last = childrenOf(again.running);
  expect(last).toHaveLength(3);
  expect((await again.running.stop()).code).toBe(0);
  expect(last.filter((pid) => isAlive(pid))).toEqual([]);

  const verified = await quorumlog(["log", "verify", `${dataDir}/broker-a-1/group-1/log`]);
  expect(verified).toMatchObject({ code: 0, stderr: "" });
  const other = await quorumlog(["up", "--data", dataDir, "--nodes", "3"]);
  expect(other.code).toBe(2);
  expect(other.stderr).toContain("nodes: 3 are asked for, and there are 2");
}, 240_000);

test("an interrupt ends what is just starting, and nothing is left", async () => {
  const dataDir = `${scratch(onTestFinished)}/cluster`;
  const starting = new Running(["up", "--data", dataDir, "--port", "0"]);
  await until("its processes are there", () => existsSync(`${dataDir}/logs/broker-a-3.log`));

  const { code, stderr } = await starting.stop();

  expect({ code, stderr: stderr.includes("quorumlog: interrupted") }).toEqual({
    code: 0,
    stderr: true,
  });
  // What was asked for is no loss.
  expect(stderr).not.toContain("has ended");
  // The same data is free, and the ports are; what programs are told has the processes.
  const again = new Running(["up", "--data", dataDir, "--json"]);
  const told = JSON.parse(await again.line(/"role":"leader"/u)) as { readonly nodes: Told[] };
  const pids = told.nodes.map(({ pid }) => pid);
  expect(pids.filter((pid) => isAlive(pid))).toHaveLength(3);
  // One that has just begun may have a few entries to apply.
  const [first] = told.nodes;
  expect(first).toMatchObject({ group: "broker-a", lag: expect.any(Number), messagesPerSecond: 0 });

  // One that stands still would be waited for: a second interrupt does not.
  process.kill(pids[0] ?? 0, "SIGSTOP");
  process.kill(again.pid, "SIGINT");
  await until("the others have stopped", () => pids.filter((pid) => isAlive(pid)).length === 1);
  expect((await again.stop()).code).toBe(130);
  await until("it is gone", () => pids.every((pid) => !isAlive(pid)));
}, 180_000);
