// Goal: every command does what its help says, for people and for programs, and says by its exit
// code how it went.
// Method: one cluster of two groups, of one node each; real processes for each command.
import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freeAddresses } from "./kit/free-addresses.ts";
import {
  type Ended,
  jsonOf,
  quorumlog,
  type RunOptions,
  Running,
  scratch,
  until,
} from "./kit/quorumlog.ts";
import { startUp, type Up } from "./kit/up.ts";

let up: Up;
let remove: () => void;
let folder: string;

beforeAll(async () => {
  folder = scratch((onOver) => {
    remove = onOver;
  });
  up = await startUp(`${folder}/cluster`, ["--nodes", "1", "--groups", "2"]);
}, 180_000);

afterAll(async () => {
  await up.running.stop();
  remove();
}, 180_000);

function run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return quorumlog(args, { ...options, env: { QUORUMLOG_NAME_SERVERS: up.nameServer } });
}

function json<Value>(args: readonly string[]): Promise<Value[]> {
  return jsonOf([...args, "--name-servers", up.nameServer]);
}

test("a topic is made, listed, shown, altered and deleted", async () => {
  const made = await run(["topic", "create", "orders", "--queues", "2"]);
  expect(made).toMatchObject({ code: 0, stdout: 'topic "orders" has 2 queues\n' });
  const again = await run(["topic", "create", "orders", "--queues", "2"]);
  expect(again.code).toBe(1);
  expect(again.stderr).toContain("TOPIC_EXISTS");
  expect(await run(["topic", "create", "orders", "--queues", "2", "--if-missing"])).toMatchObject({
    code: 0,
  });

  const [listed] = await json<{ groupIds: number[] }>(["topic", "list"]);
  expect(listed).toMatchObject({ name: "orders", type: "normal", isWritable: true });
  expect(listed?.groupIds.toSorted()).toEqual([1, 2]);

  await run(["topic", "alter", "orders", "--queues", "4", "--writable", "no"]);
  const refused = await run(["produce", "orders"], { input: "a\n" });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain("TOPIC_NOT_WRITABLE");
  const [shown] = await json<{ queues: object[] }>(["topic", "show", "orders"]);
  expect(shown).toMatchObject({ isWritable: false, isReadable: true });
  expect(shown?.queues).toHaveLength(4);

  expect(await run(["topic", "delete", "orders"])).toMatchObject({ code: 0 });
  expect(await run(["topic", "list"])).toMatchObject({
    stdout: expect.not.stringContaining("orders"),
  });
  const unknown = await run(["topic", "show", "orders"]);
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toContain("UNKNOWN_TOPIC");
}, 180_000);

test("lines are published with keys, groups and tags, and found by all of them", async () => {
  await run(["topic", "create", "events", "--type", "fifo"]);
  const lines = [1, 2, 3].map((id) => JSON.stringify({ id, customer: `c${id % 2}` }));
  const fields = ["--key-field", "id", "--group-field", "customer", "--tag", "made"];
  const produced = await run(["produce", "events", ...fields], { input: lines.join("\n") });
  expect(produced).toMatchObject({ code: 0, stdout: "3 messages are stored\n" });

  const consumed = await run(["consume", "events"]);
  expect(consumed.stdout.trimEnd().split("\n").toSorted()).toEqual(lines);
  expect((await run(["consume", "events", "--tag", "paid || sent"])).stdout).toBe("");
  expect((await run(["consume", "events", "--from", "latest"])).stdout).toBe("");

  const [found] = await json<{ messageId: string }>(["query", "--topic", "events", "--key", "2"]);
  expect(found).toMatchObject({ body: lines[1], keys: ["2"], messageGroup: "c0", tag: "made" });
  const [same] = await json<object>(["query", "--id", found?.messageId ?? ""]);
  expect(same).toEqual(found);
  expect(await json(["query", "--topic", "events", "--time", "-1h"])).toHaveLength(3);
  expect(await run(["query", "--topic", "events", "--key", "4"])).toMatchObject({ code: 1 });

  const mismatch = await run(["produce", "events"], { input: "1\n2\n3\n" });
  expect(mismatch.code).toBe(1);
  expect(mismatch.stderr).toMatch(/not stored, as far as is known: line 1\b/u);
  expect(mismatch.stderr).toContain("MESSAGE_TYPE_MISMATCH");

  const broken = await run(["produce", "events", ...fields], { input: `${lines[0]}\nno json\n` });
  expect(broken.code).toBe(1);
  expect(broken.stdout).toBe("1 message is stored\n");
  expect(broken.stderr).toContain("line 2 is no JSON");
}, 180_000);

test("lines are stored as the bytes they are, and what they lack is told", async () => {
  await run(["topic", "create", "bytes", "--queues", "1"]);
  // A separator of lines in Unicode, which JSON may hold; what is no UTF-8; a lone "\r".
  const lines = [Buffer.from('{"a":"\u2028"}'), Buffer.from([0xff, 0x00, 0x0d, 0xc3]), "", "x"];
  const input = Buffer.concat(lines.flatMap((line) => [Buffer.from(line), Buffer.from("\n")]));
  expect(await run(["produce", "bytes"], { input })).toMatchObject({
    code: 0,
    stdout: "4 messages are stored\n",
  });
  const stored = await json<{ body?: string; bodyBase64?: string }>(["consume", "bytes"]);
  expect(
    stored.map(({ body, bodyBase64 = "" }) =>
      Buffer.from(body ?? Buffer.from(bodyBase64, "base64")),
    ),
  ).toEqual(lines.map((line) => Buffer.from(line)));

  const typo = await run(["produce", "bytes", "--key-field", "idd"], { input: '{"id":1}\n3\n' });
  expect(typo).toMatchObject({ code: 0, stdout: "2 messages are stored\n" });
  expect(typo.stderr).toContain('2 of the lines have no field "idd": no key');

  const long = await run(["produce", "bytes"], { input: `a\n${"b".repeat(5_000_000)}\nc\n` });
  expect(long).toMatchObject({ code: 1, stdout: "1 message is stored\n" });
  expect(long.stderr).toContain("line 2 is longer than 4194304 bytes");
}, 180_000);

test("a failure is told at once, and not with the next line", async () => {
  const input = new Running(["produce", "nowhere", "--name-servers", up.nameServer], {
    isInputOpen: true,
    input: "a\n",
  });
  const { code, stderr } = await input.ended;
  expect(code).toBe(1);
  expect(stderr).toContain("UNKNOWN_TOPIC");
}, 180_000);

test("a group goes on where it was, and is moved, shown and deleted", async () => {
  await run(["topic", "create", "jobs", "--queues", "2"]);
  await run(["produce", "jobs"], { input: "1\n2\n3\n4\n5\n6\n" });

  const first = await run(["consume", "jobs", "--group", "workers", "--count", "4"]);
  const second = await run(["consume", "jobs", "--group", "workers", "--idle-ms", "2000"]);
  const all = (first.stdout + second.stdout).trimEnd().split("\n").toSorted();
  expect(all).toEqual(["1", "2", "3", "4", "5", "6"]);

  const nobody = await run(["offset", "show", "worker"]);
  expect(nobody).toMatchObject({ code: 1, stdout: "" });
  expect(nobody.stderr).toContain("UNKNOWN_GROUP");
  const offsets = await json<{ lag: number }>(["offset", "show", "workers"]);
  expect(offsets.map(({ lag }) => lag)).toEqual([0, 0]);
  const reset = ["offset", "reset", "workers", "--topic", "jobs"];
  const dry = await run([...reset, "--to-time", "-1h", "--dry-run"]);
  expect(dry.stdout).toContain("nothing has changed");
  const [unmoved] = await json<{ lag: number }>(["group", "show", "workers"]);
  expect(unmoved).toMatchObject({ lag: 0 });
  expect(await run([...reset, "--to-earliest"])).toMatchObject({ code: 0 });
  const [moved] = await json<{ lag: number }>(["group", "show", "workers"]);
  expect(moved).toMatchObject({ lag: 6, members: [] });
  expect(await json(["group", "list"])).toContainEqual(
    expect.objectContaining({ group: "workers", memberCount: 0 }),
  );
  const one = await json([...reset, "--queue", "0", "--to-offset", "0"]);
  expect(one).toMatchObject([{ queue: 0, to: 0 }]);
  const both = await run([...reset, "--to-earliest", "--to-latest"]);
  expect(both.code).toBe(2);

  expect(await run(["group", "delete", "workers"])).toMatchObject({ code: 0 });
  expect((await run(["group", "show", "workers"])).stderr).toContain("UNKNOWN_GROUP");
}, 180_000);

test("who publishes to a topic is listed, and shown when they are gone", async () => {
  await run(["topic", "create", "sales"]);
  await run(["produce", "sales"], { input: "one\n" });
  let listed: { producerGroup: string; topics: object[] }[] = [];
  while (listed.length === 0) listed = await json(["producer", "list", "--topic", "sales"]);
  const { producerGroup = "" } = listed[0] ?? {};
  expect(listed[0]?.topics).toContainEqual(expect.objectContaining({ topic: "sales" }));

  const table = await run(["producer", "list"]);
  expect(table.stdout).toMatch(/^group +topic +producers +since +last noted/u);
  const shown = await run(["producer", "show", producerGroup]);
  expect(shown.stdout).toContain("no producer is there");
  const unknown = await run(["producer", "show", "nobody"]);
  expect(unknown).toMatchObject({ code: 1 });
  expect(unknown.stderr).toContain("UNKNOWN_GROUP");
}, 180_000);

test.each([
  { signal: "SIGINT", code: 130 },
  { signal: "SIGTERM", code: 143 },
] as const)(
  "what waits for ever ends by $signal with $code",
  async ({ signal, code }) => {
    const at = ["--name-servers", up.nameServer];
    await run(["topic", "create", "waits", "--if-missing"]);
    await run(["produce", "waits"], { input: "one\n" });
    const waiting = [
      new Running(["consume", "waits", "--follow", ...at]),
      new Running(["consume", "waits", "--follow", "--group", `by-${signal}`, ...at]),
      new Running(["cluster", "status", "--watch", "--json", ...at]),
    ];
    await Promise.all(waiting.map((each) => each.line(/^one$|"role":"leader"/u)));

    const codes = await Promise.all(waiting.map(async (each) => (await each.stop(signal)).code));

    expect(codes).toEqual([code, code, code]);
  },
  180_000,
);

test.each(["SIGINT", "SIGTERM"] as const)(
  "a server that %s stops has not failed",
  async (signal) => {
    const server = new Running(["nameserver", "--listen", "127.0.0.1:0"]);
    await server.line(/NameServer on/u);
    expect((await server.stop(signal)).code).toBe(0);
  },
  180_000,
);

test("a port that is taken is a failure, whichever it is", async () => {
  const dataDir = `${folder}/taken`;
  const [free] = await freeAddresses(1);
  const node = ["--node-id", "1", "--token", "0123456789abcdef", "--data", dataDir];
  const ended = await Promise.all([
    run(["nameserver", "--listen", up.nameServer]),
    run(["nameserver", "--listen", "127.0.0.1:0", "--metrics", up.nameServer]),
    run(["broker", ...node, "--listen", up.nameServer, "--peers", `1=${free}`]),
    run(["up", "--data", `${dataDir}-up`, "--port", up.nameServer.split(":")[1] ?? ""]),
  ]);
  // One process at a time has the data.
  ended.push(
    await run(["broker", ...node, "--listen", `${free}`, "--peers", `1=${up.nameServer}`]),
  );

  for (const { code, stderr } of ended) {
    expect(stderr).toMatch(/LISTEN_FAILED: .*EADDRINUSE/u);
    expect(code).toBe(1);
  }
}, 180_000);

const RESERVE_BYTES = 2 ** 40;
const { bavail, bsize } = statfsSync(tmpdir());
const hasRoom = bavail * bsize > RESERVE_BYTES;

test.skipIf(hasRoom)(
  "a disk that is full, and a group that is gone, are told and are failures",
  async () => {
    const [server = "", client = "", peer = ""] = await freeAddresses(3);
    const cluster = ["--name-servers", server];
    const node = ["--node-id", "9", "--token", "0123456789abcdef", "--data", `${folder}/full`];
    const nameServer = new Running(["nameserver", "--listen", server]);
    await nameServer.line(/NameServer on/u);
    // Few disks have so much room, and this one has not.
    const room = ["--disk-reserve-bytes", String(RESERVE_BYTES)];
    const place = ["--listen", client, "--peers", `9=${peer}`, "--group-id", "2"];
    const broker = new Running(["broker", ...node, ...place, ...room, ...cluster]);
    await broker.line(/clients on port/u);
    let status: Ended | undefined;
    await until("it leads, and has looked at its disk", async () => {
      status = await quorumlog(["cluster", "status", ...cluster]);
      return status.stdout.includes("leader") && status.stdout.includes("FULL");
    });

    expect(status?.code).toBe(1);
    expect(status?.stderr).toContain(`node 9 (${client}): disk`);
    expect(status?.stderr).toContain("group 1 has no leader: none of its nodes is up");
    const forPrograms = await quorumlog(["cluster", "status", ...cluster, "--json"]);
    expect(forPrograms.code).toBe(1);
    const [told = ""] = forPrograms.stdout.split("\n");
    expect(JSON.parse(told)).toMatchObject({
      isDiskFull: true,
      diskTotalBytes: expect.any(Number) as number,
    });
    const { error } = JSON.parse(forPrograms.stderr) as { error: { problems: string[] } };
    expect(error.problems.join()).toContain(`node 9 (${client}): disk`);
    await broker.stop();
    await nameServer.stop();
  },
  180_000,
);

test("what is followed is printed as it comes, until an interrupt", async () => {
  await run(["topic", "create", "news"]);
  const following = new Running(["consume", "news", "--follow", "--name-servers", up.nameServer]);
  await run(["produce", "news"], { input: "one\n" });
  await following.line(/^one$/u);

  const { code, stdout } = await following.stop();

  expect({ code, stdout }).toEqual({ code: 130, stdout: "one\n" });
}, 180_000);

test("the state of the cluster is told for people and for programs", async () => {
  const { code, stdout } = await run(["cluster", "status"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^group +node +role +term +last +synced +committed +applied +lag/u);
  const nodes = await json<object>(["cluster", "status"]);
  expect(nodes).toEqual([
    expect.objectContaining({ group: "broker-a", nodeId: 1, role: "leader", lag: 0 }),
    expect.objectContaining({ group: "broker-b", nodeId: 2, role: "leader", lag: 0 }),
  ]);
  expect(await json<object>(["cluster", "members"])).toEqual([
    expect.objectContaining({ nodeId: 1, membership: "voter", isUp: true }),
    expect.objectContaining({ nodeId: 2, membership: "voter", isUp: true }),
  ]);
}, 180_000);

test("a node that another group has is not taken for one that is gone already", async () => {
  const order = ["cluster", "remove", "--group-id", "1", "--node-id", "2"];
  const wrong = await run(order);
  expect(wrong).toMatchObject({ code: 1, stdout: "" });
  expect(wrong.stderr).toContain("node 2 is no member of group 1 (broker-a), but of group 2");
  const forPrograms = await run([...order, "--json"]);
  expect(forPrograms).toMatchObject({ code: 1, stdout: "" });
  expect(JSON.parse(forPrograms.stderr)).toMatchObject({ error: { code: "MEMBERSHIP_REFUSED" } });

  expect(await run(["cluster", "remove", "--node-id", "9"])).toMatchObject({ code: 0 });
}, 180_000);

test("a load is made, and every message read back", async () => {
  const [published, consumed] = await json<object>(["bench", "--messages", "500", "--size", "100"]);

  expect(published).toMatchObject({ phase: "publish", messages: 500 });
  expect(consumed).toMatchObject({ phase: "consume", messages: 500 });
}, 180_000);

test("help is of a command, of several, or of all", async () => {
  const [all, topics, one] = await Promise.all([
    run(["help"]),
    run(["help", "topic"]),
    run(["topic", "create", "--help"]),
  ]);
  expect(all.stdout).toContain("cluster replace");
  expect(topics.stdout).toContain("topic alter TOPIC");
  expect(topics.stdout).not.toContain("cluster replace");
  expect(one.stdout).toMatch(/--queues N +how many \(1 to 1024; default 4\)/u);
  const [unknown, version] = await Promise.all([run(["help", "topics"]), run(["--version"])]);
  expect(unknown).toMatchObject({ code: 2, stdout: "" });
  expect((await run(["-v"])).stdout).toBe(version.stdout);
  const plural = await run(["topics"]);
  expect(plural.stderr).toContain("did you mean topic create, topic list");
  expect(version.stdout).toMatch(/^quorumlog \d+\.\d+\.\d+\n$/u);
}, 180_000);

test("mistakes are usage, and failures are not; programs get both as JSON", async () => {
  const usage = await run(["topic", "create", "--queues", "0", "--json"]);
  expect(usage.code).toBe(2);
  expect(JSON.parse(usage.stderr)).toMatchObject({
    error: {
      code: "USAGE",
      problems: [
        '--queues: "0" is not an integer in [1, 1024]',
        "TOPIC is missing",
        expect.anything(),
      ],
    },
  });
  const bad = await run(["topic", "create", "no/such name"]);
  expect(bad.code).toBe(2);
  const failed = await run(["topic", "show", "nothing", "--json"]);
  expect(failed.code).toBe(1);
  expect(JSON.parse(failed.stderr)).toMatchObject({
    error: { code: "UNKNOWN_TOPIC", outcome: "not-applied", advice: "do-not-retry" },
  });
  const missing = await run(["query", "--id", "1-0-999999", "--json"]);
  expect(missing.code).toBe(1);
  expect(JSON.parse(missing.stderr)).toMatchObject({ error: { code: "NOT_FOUND" } });
  const nobody = await quorumlog(["topic", "list", "--name-servers", "127.0.0.1:1"]);
  expect(nobody.code).toBe(1);
  expect(nobody.stderr).toContain("waiting for a NameServer of 127.0.0.1:1");
  expect(nobody.stderr).toContain("is the cluster running");
  const relation = await run(["offset", "reset", "g", "--topic", "t", "--to-time", "yesterday"]);
  expect(relation.stderr).toContain('--to-time: "yesterday" is no time');
  expect(relation.stderr).not.toContain("say one of");
}, 180_000);

test("the log of a node that runs is left alone, and one that is missing is told of", async () => {
  const running = await run(["log", "verify", `${folder}/cluster/broker-a-1/group-1/log`]);
  expect(running.code).toBe(2);
  expect(running.stderr).toContain("LOG_LOCKED");
  const above = await run(["log", "stat", `${folder}/cluster/broker-a-1`]);
  expect(above.code).toBe(2);
  expect(above.stderr).toContain("group-1/log");
  const nowhere = await run(["log", "stat", "/nowhere"]);
  expect(nowhere.code).toBe(1);
  expect(nowhere.stderr).toContain("LOG_MISSING");
  const forPrograms = await run(["log", "verify", "/nowhere", "--json"]);
  expect(forPrograms).toMatchObject({ code: 1, stdout: "" });
  expect(JSON.parse(forPrograms.stderr)).toMatchObject({ error: { code: "LOG_MISSING" } });
  expect(await run(["log", "dump", "/nowhere", "--from", "0"])).toMatchObject({ code: 2 });
});
