// Goal: the four deployment modes start from the files and by the commands that their READMEs have,
// and keep what they promise when a broker is killed.
// Method: run each README's commands as they are there, but at free ports and in a copy; kill -9.
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { freeAddresses } from "./kit/free-addresses.ts";
import { type Ended, quorumlog, Running, scratch, until } from "./kit/quorumlog.ts";

const EXAMPLES = "examples/deployment-modes";
const source = fileURLToPath(new URL(`../../../${EXAMPLES}`, import.meta.url));
const ENV = { QUORUMLOG_TOKEN: "a secret for tests alone" };
const LINES = Array.from({ length: 1_000 }, (_, i) => `${i + 1}`);

interface Deployment {
  /** By the name of its file. */
  readonly processes: ReadonlyMap<string, Running>;
  /** What the last command of the README has printed. */
  readonly consumed: string;
  readonly start: (name: string) => Promise<void>;
  /** Of a file of settings. */
  readonly config: (name: string) => readonly string[];
}

/** A copy of a mode's files, at ports that are free. */
async function copyOf(mode: string): Promise<string> {
  const folder = join(scratch(onTestFinished), mode);
  cpSync(join(source, mode), folder, { recursive: true });
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
  const texts = files.map((name) => readFileSync(join(folder, name), "utf8"));
  const named = [...new Set(texts.flatMap((text) => text.match(/127\.0\.0\.1:\d+/gu) ?? []))];
  const free = await freeAddresses(named.length);
  for (const [i, name] of files.entries()) {
    const text = (texts[i] ?? "").replaceAll(
      /127\.0\.0\.1:\d+/gu,
      (address) => free[named.indexOf(address)] ?? "",
    );
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

function run(args: readonly string[], input = ""): Promise<Ended> {
  return quorumlog(args, { env: ENV, input });
}

async function deploy(mode: string): Promise<Deployment> {
  const folder = await copyOf(mode);
  const readme = readFileSync(join(folder, "README.md"), "utf8");
  const block = /```sh\n(?<lines>[^]*?)```/u.exec(readme)?.groups?.["lines"] ?? "";
  const commands = block
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/ &$/u, "").replaceAll(`${EXAMPLES}/${mode}`, folder));
  const processes = new Map<string, Running>();
  onTestFinished(async () => {
    await Promise.all([...processes.values()].map((process) => process.stop("SIGKILL")));
  });
  const start = async (name: string): Promise<void> => {
    const command = name.startsWith("nameserver") ? "nameserver" : "broker";
    const args = [command, "--config", join(folder, `${name}.json`)];
    const process = new Running(args, { env: ENV });
    processes.set(name, process);
    await process.line(/^NameServer on|clients on port/u);
  };
  const starts = commands.filter((line) => / (?:nameserver|broker) /u.test(line));
  await Promise.all(starts.map((line) => start(/(?<name>[\w-]+)\.json/u.exec(line)?.[1] ?? "")));
  let consumed = "";
  for (const line of commands.filter((each) => !starts.includes(each))) {
    const args = line.replace(/^.*npx quorumlog /u, "").split(" ");
    const { code, stdout, stderr } = await run(args, `${LINES.join("\n")}\n`);
    if (code !== 0) throw new Error(`${line}\n${stdout}${stderr}`);
    consumed = stdout;
  }
  const config = (name: string): readonly string[] => ["--config", join(folder, `${name}.json`)];
  return { processes, consumed, start, config };
}

function sorted(text: string): string[] {
  return text
    .trimEnd()
    .split("\n")
    .toSorted((a, b) => Number(a) - Number(b));
}

/** The file of the node that leads its group, and those of the others. */
async function leaderOf({ config }: Deployment): Promise<string> {
  let leader = 0;
  await until("there is a leader", async () => {
    const { stdout } = await run(["cluster", "status", "--json", ...config("client")]);
    const nodes = stdout.split("\n").filter((line) => line !== "");
    const found = nodes
      .map((line) => JSON.parse(line) as { readonly nodeId: number; readonly role: string })
      .find(({ role }) => role === "leader");
    leader = found?.nodeId ?? 0;
    return leader !== 0;
  });
  return `broker-${leader}`;
}

test("single node: what was acknowledged is there after kill -9", async () => {
  const mode = await deploy("single-node");
  expect(sorted(mode.consumed)).toEqual(LINES);

  await mode.processes.get("broker")?.stop("SIGKILL");
  await mode.start("broker");

  const { stdout } = await run(["consume", "orders", ...mode.config("client")]);
  expect(sorted(stdout)).toEqual(LINES);
}, 180_000);

test("single-node groups: one takes messages while the other is down", async () => {
  const mode = await deploy("single-node-groups");
  expect(sorted(mode.consumed)).toEqual(LINES);

  await mode.processes.get("broker-b")?.stop("SIGKILL");
  const produced = await run(["produce", "orders", ...mode.config("client")], "1001\n1002\n");
  expect(produced).toMatchObject({ code: 0, stdout: "2 messages are stored\n" });
  await mode.start("broker-b");

  const { stdout } = await run(["consume", "orders", ...mode.config("client")]);
  expect(sorted(stdout)).toEqual([...LINES, "1001", "1002"]);
}, 180_000);

test.each(["async-replication", "quorum"])(
  "%s: another node leads when the leader is killed, and has what was consumed",
  async (name) => {
    const mode = await deploy(name);
    expect(sorted(mode.consumed)).toEqual(LINES);

    const leader = await leaderOf(mode);
    await mode.processes.get(leader)?.stop("SIGKILL");
    const produced = await run(["produce", "orders", ...mode.config("producer")], "1001\n");
    expect(produced).toMatchObject({ code: 0, stdout: "1 message is stored\n" });
    const enough = ["--count", "1001", "--idle-ms", "20000"];
    const { stdout } = await run(["consume", "orders", ...enough, ...mode.config("client")]);
    expect(sorted(stdout)).toEqual([...LINES, "1001"]);

    await mode.start(leader);
    await until("it follows", async () => {
      const { code } = await run(["cluster", "status", ...mode.config("client")]);
      return code === 0;
    });
  },
  240_000,
);
