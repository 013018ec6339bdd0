// Goal: with certificates, every port of a cluster speaks TLS and knows who is there; whoever has
// none, or one of another authority, is kept out, and told so.
// Method: real processes from files of settings: a NameServer and a broker group of two nodes, with
// an authority for clients and another one for peers; commands with and without certificates.
import { readFileSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { makeAuthority } from "./kit/certificates.ts";
import { freeAddresses } from "./kit/free-addresses.ts";
import { quorumlog, Running, scratch } from "./kit/quorumlog.ts";

let remove: () => void;
let nameServer: string;
let metrics: string;
let clientOfOurs: string[];
let clientOfOthers: string[];
let authorityOnly: string[];
const processes: Running[] = [];

beforeAll(async () => {
  const folder = scratch((onOver) => {
    remove = onOver;
  });
  const ours = makeAuthority(join(folder, "tls"), "clients");
  const peers = makeAuthority(join(folder, "tls"), "peers");
  const others = makeAuthority(join(folder, "tls"), "strangers");
  const server = ours.issue("server");
  const addresses = await freeAddresses(6);
  [nameServer = "", , , , , metrics = ""] = addresses;
  const tls = {
    tlsCertificate: server.certificate,
    tlsKey: server.key,
    tlsClientAuthority: ours.file,
  };
  const start = async (command: string, name: string, settings: object): Promise<void> => {
    // The file names files beside it by their names alone.
    const path = join(folder, "tls", `${name}.json`);
    writeFileSync(path, JSON.stringify(settings).replaceAll(join(folder, "tls/"), ""));
    const process = new Running([command, "--config", path]);
    processes.push(process);
    await process.line(/^NameServer on|clients on port/u);
  };
  await start("nameserver", "nameserver", {
    listen: nameServer,
    ...tls,
    metrics,
    metricsTlsCertificate: server.certificate,
    metricsTlsKey: server.key,
    metricsTlsClientAuthority: ours.file,
  });
  const node = (nodeId: number): Promise<void> => {
    const own = peers.issue(`node-${nodeId}`);
    return start("broker", `broker-${nodeId}`, {
      nodeId,
      dataDir: join(folder, `data-${nodeId}`),
      listen: addresses[nodeId],
      peers: [1, 2].map((id) => `${id}=${addresses[id + 2]}`),
      nameServers: [nameServer],
      ...tls,
      tlsAuthority: ours.file,
      peerTlsCertificate: own.certificate,
      peerTlsKey: own.key,
      peerTlsAuthority: peers.file,
    });
  };
  await Promise.all([node(1), node(2)]);
  const mine = ours.issue("client");
  const theirs = others.issue("client");
  authorityOnly = ["--tls-authority", ours.file];
  clientOfOurs = [...authorityOnly, "--tls-certificate", mine.certificate, "--tls-key", mine.key];
  const { certificate, key } = theirs;
  clientOfOthers = [...authorityOnly, "--tls-certificate", certificate, "--tls-key", key];
}, 180_000);

afterAll(async () => {
  await Promise.all(processes.map((process) => process.stop("SIGTERM")));
  remove();
}, 180_000);

test("every command works with a certificate", async () => {
  const cluster = ["--name-servers", nameServer, ...clientOfOurs];

  expect(await quorumlog(["topic", "create", "orders", ...cluster])).toMatchObject({ code: 0 });
  const produced = await quorumlog(["produce", "orders", ...cluster], { input: "a\nb\n" });
  expect(produced).toMatchObject({ code: 0, stdout: "2 messages are stored\n", stderr: "" });
  const consumed = await quorumlog([
    "consume",
    "orders",
    ...cluster,
    "--group",
    "g",
    "--count",
    "2",
  ]);
  expect(consumed).toMatchObject({ code: 0, stdout: "a\nb\n" });
  expect(await quorumlog(["group", "show", "g", ...cluster])).toMatchObject({ code: 0 });
  expect(await quorumlog(["bench", "--messages", "10", ...cluster])).toMatchObject({ code: 0 });
  const status = await quorumlog(["cluster", "status", ...cluster]);
  expect(status).toMatchObject({ code: 0 });
  expect(status.stdout).toContain("follower");
}, 180_000);

test("nobody else gets in", async () => {
  const strangers = [[], authorityOnly, clientOfOthers];

  const ends = await Promise.all(
    strangers.map((flags) => quorumlog(["topic", "list", "--name-servers", nameServer, ...flags])),
  );

  for (const { code, stdout, stderr } of ends) {
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("--tls-...");
  }
}, 180_000);

test("figures are told over HTTPS, to those who show a certificate", async () => {
  const options = { ca: readFileSync(authorityOnly[1] ?? ""), agent: false };
  const [cert, key] = [clientOfOurs[3], clientOfOurs[5]].map((file) => readFileSync(file ?? ""));
  const text = await new Promise<string>((resolve, reject) => {
    get(`https://${metrics}/metrics`, { ...options, cert, key }, (answer) => {
      answer.setEncoding("utf8").once("data", resolve);
    }).once("error", reject);
  });
  const refusal = await new Promise<Error>((resolve, reject) => {
    get(`https://${metrics}/metrics`, options, reject).once("error", resolve);
  });

  expect(text).toContain("quorumlog_");
  expect(refusal.message).toMatch(/alert|ECONNRESET|hang up/u);
}, 180_000);

test("up speaks TLS, and does so again without being told", async () => {
  const folder = scratch(onTestFinished);
  const ours = makeAuthority(join(folder, "tls"), "ours");
  const { certificate, key } = ours.issue("up");
  const files = ["--tls-certificate", certificate, "--tls-key", key, "--tls-authority", ours.file];
  const data = join(folder, "data");
  for (const flags of [[...files, "--tls-client-authority", ours.file], []]) {
    const up = new Running(["up", "--data", data, "--nodes", "1", "--port", "0", ...flags]);
    await up.line(/QUORUMLOG_TLS_KEY=/u);
    const { nameServers } = JSON.parse(readFileSync(join(data, "cluster.json"), "utf8")) as {
      readonly nameServers: readonly string[];
    };
    const cluster = ["--name-servers", nameServers.join(",")];
    const status = await quorumlog(["cluster", "status", ...cluster, ...files]);
    const stranger = await quorumlog(["cluster", "status", ...cluster]);
    const ended = await up.stop("SIGINT");

    expect(status).toMatchObject({ code: 0 });
    expect(stranger.code).toBe(1);
    expect(ended.code).toBe(0);
  }
  const alone = await quorumlog(["up", "--tls-authority", ours.file, "--tls-key", "/no.key"]);
  expect(alone.code).toBe(2);
  expect(alone.stderr).toContain("--tls-authority wants --tls-certificate");
}, 180_000);

test("certificates that are missing, or half there, are named", async () => {
  const { code, stderr } = await quorumlog(["topic", "list", "--tls-certificate", "/no/such.pem"]);

  expect(code).toBe(2);
  expect(stderr).toContain("--tls-certificate and --tls-key belong together");
  const both = ["--tls-certificate", "/no/such.pem", "--tls-key", "/no/such.key"];
  const missing = await quorumlog(["topic", "list", ...both]);
  expect(missing.code).toBe(2);
  expect(missing.stderr).toContain("--tls-certificate: ENOENT");
  expect(missing.stderr).toContain("--tls-key: ENOENT");
  const swapped = [authorityOnly[1] ?? "", clientOfOurs[3] ?? ""];
  const files = ["--tls-certificate", swapped[0] ?? "", "--tls-key", swapped[1] ?? ""];
  const wrong = await quorumlog(["topic", "list", ...files]);
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain("is no private key in PEM");
});
