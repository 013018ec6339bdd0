// Goal: an operator adds, replaces and removes nodes of a group that serves, and moves its leader,
// by commands alone; nothing that was stored is missing on the nodes that are there at the end.
// Method: one cluster of three nodes; two more, started by hand as the help says.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freeAddresses } from "./kit/free-addresses.ts";
import { type Ended, jsonOf, quorumlog, Running, scratch } from "./kit/quorumlog.ts";
import { startUp, type Up } from "./kit/up.ts";

interface Member {
  readonly nodeId: number;
  readonly membership: string;
  readonly role: string;
}

let up: Up;
let folder: string;
let remove: () => void;
const started: Running[] = [];

beforeAll(async () => {
  folder = scratch((onOver) => {
    remove = onOver;
  });
  up = await startUp(folder);
}, 180_000);

afterAll(async () => {
  const ends = await Promise.all(started.map((process) => process.stop("SIGTERM")));
  for (const { stderr } of ends) expect(stderr).not.toContain("did not stop");
  await up.running.stop();
  remove();
}, 180_000);

function run(...args: readonly string[]): Promise<Ended> {
  return quorumlog([...args, "--name-servers", up.nameServer]);
}

function members(): Promise<Member[]> {
  return jsonOf<Member>(["cluster", "members", "--name-servers", up.nameServer]);
}

async function voters(): Promise<number[]> {
  const all = await members();
  return all.filter(({ membership }) => membership === "voter").map(({ nodeId }) => nodeId);
}

/** A new node of the group, on an empty directory. @returns its address for peers */
async function startNode(nodeId: number): Promise<string> {
  const path = join(folder, "broker-a-1.json");
  const former = JSON.parse(readFileSync(path, "utf8")) as { readonly peers: readonly string[] };
  const [listen = "", peer = ""] = await freeAddresses(2);
  const config = join(folder, `node-${nodeId}.json`);
  const dataDir = join(folder, `node-${nodeId}`);
  const peers = [...former.peers, `${nodeId}=${peer}`];
  const settings = { ...former, nodeId, listen, dataDir, peers, ifMissing: "join" };
  writeFileSync(config, JSON.stringify(settings));
  const process = new Running(["broker", "--config", config]);
  started.push(process);
  await process.line(/clients on port/u);
  return peer;
}

test("nodes are added, replaced and removed, and the leader moves", async () => {
  await run("topic", "create", "orders", "--queues", "1");
  const input = `${Array.from({ length: 1_000 }, (_, i) => i).join("\n")}\n`;
  await quorumlog(["produce", "orders", "--name-servers", up.nameServer], { input });

  const fourth = await startNode(4);
  const added = await run("cluster", "add", "--node-id", "4", "--peer-address", fourth);
  expect(added.stdout).toBe("node 4 is a voter of broker-a: voters 1, 2, 3, 4\n");
  // As after an outcome that is not known.
  expect(await run("cluster", "add", "--node-id", "4", "--peer-address", fourth)).toEqual(added);

  const moved = await run("cluster", "transfer", "--node-id", "4");
  expect(moved).toMatchObject({ code: 0, stdout: "node 4 leads now\n" });
  expect(await members()).toContainEqual(expect.objectContaining({ nodeId: 4, role: "leader" }));

  const fifth = await startNode(5);
  const replacing = ["--former", "1", "--node-id", "5", "--peer-address", fifth];
  expect(await run("cluster", "replace", ...replacing)).toMatchObject({ code: 0 });
  expect(await run("cluster", "remove", "--node-id", "2")).toMatchObject({ code: 0 });
  expect(await voters()).toEqual([3, 4, 5]);
  const nowhere = await run(
    "cluster",
    "add",
    "--group-id",
    "9",
    "--node-id",
    "4",
    "--peer-address",
    fourth,
  );
  expect(nowhere.code).toBe(2);
  expect(nowhere.stderr).toContain("there is no broker group 9; there are 1 (broker-a)");
  const late = ["--node-id", "6", "--peer-address", "127.0.0.1:1", "--timeout-ms", "2000"];
  const unreached = await run("cluster", "add", ...late);
  expect(unreached.code).toBe(1);
  expect(unreached.stderr).toContain("node 6 is not reached by group 1 yet");
  // As after an outcome that is not known: a script can tell, and has nothing to mend.
  const again = await run("cluster", "remove", "--node-id", "2", "--json");
  expect(again.code).toBe(0);
  expect(JSON.parse(again.stdout)).toMatchObject({ isUnchanged: true, voterNodeIds: [3, 4, 5] });
  const stranger = await run("cluster", "remove", "--node-id", "9");
  expect(stranger.code).toBe(0);
  const members345 = "broker-a: voters 3, 4, 5";
  expect(stranger.stdout).toBe(`node 9 is no member, and nothing was changed, of ${members345}\n`);

  // A node that was started with the first three as its peers knows the others all the same.
  const [, pid] = /broker-a-3 is process (?<pid>\d+)/u.exec(up.running.text) ?? [];
  process.kill(Number(pid), "SIGKILL");
  await up.running.line(/broker-a-3 has ended/u);
  const third = new Running(["broker", "--config", join(folder, "broker-a-3.json")]);
  started.push(third);
  await third.line(/clients on port/u);
  expect(await run("cluster", "transfer", "--node-id", "3")).toMatchObject({ code: 0 });
  expect(await run("cluster", "transfer", "--node-id", "4")).toMatchObject({ code: 0 });

  // The new nodes hold everything: they alone are left of a group of three when 3 is gone.
  await run("cluster", "remove", "--node-id", "3");
  const consumed = await run("consume", "orders");
  expect(consumed.stdout).toBe(input);
}, 240_000);
