// Goal: what happens to a process is what its peers are told, and a process that closes its
// transport can end.
// Method: real processes that run built code, killed, stopped, and left to themselves.

import { type ChildProcess, spawn } from "node:child_process";
import { expect, onTestFinished, test } from "vitest";
import { GROUP, openNode, TOKEN, until } from "./kit/node.ts";

const NODE = `
  import { formatAddress, openTcpTransport, parseTransportOptions } from "@quorumlog/transport";
  const [given, what] = process.argv.slice(1).map((word) => JSON.parse(word));
  const transport = await openTcpTransport({
    options: parseTransportOptions({ nodeId: 2, listen: "127.0.0.1:0", ...given }),
    log: () => undefined,
  });
  const link = transport.attach(${GROUP}, {
    onFrame: () => { throw new Error("a receiver's bug"); },
    onPeerUp: () => {
      if (what === "close") transport.close(() => console.log("closed"));
    },
    onPeerDown: () => undefined,
    onPeerGone: () => undefined,
  });
  console.log(formatAddress(transport.address));
  process.stdin.on("data", (text) => link.setPeers(new Map([[1, text.toString()]])));
`;

const QUICK = { pingMs: 50, silenceMs: 300, redialMsMax: 100 };

interface Child {
  readonly process: ChildProcess;
  readonly address: string;
  said(): string;
}

async function start(what: "serve" | "close"): Promise<Child> {
  const given = { clusterId: "test", incarnation: 1, token: TOKEN, ...QUICK };
  const words = [given, what].map((value) => JSON.stringify(value));
  const child = spawn(process.execPath, ["--input-type=module", "--eval", NODE, "--", ...words], {
    cwd: new URL("..", import.meta.url),
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
  await until("it listens", () => text.includes("\n"));
  return { process: child, address: text.split("\n")[0] ?? "", said: () => text };
}

test("a process that is killed is gone, long before any silence", async () => {
  const one = await openNode(1, { pingMs: 10_000, silenceMs: 60_000 });
  for (let life = 1; life <= 5; life++) {
    // oxlint-disable-next-line no-await-in-loop -- One life after the other.
    const child = await start("serve");
    one.link.setPeers(new Map([[2, child.address]]));
    // oxlint-disable-next-line no-await-in-loop -- As above.
    await until("it is up", () => one.link.isUp(2));
    const startMs = performance.now();
    child.process.kill("SIGKILL");
    // oxlint-disable-next-line no-await-in-loop -- As above.
    await until("it is gone", () => one.receiver.events.length === life * 3);
    expect(performance.now() - startMs).toBeLessThan(1_000);
    expect(one.receiver.events.slice(-3)).toEqual(["up 2", "down 2", "gone 2"]);
  }
}, 30_000);

test("a process that stands still is down, not gone, and up again when it goes on", async () => {
  const one = await openNode(1, QUICK);
  const child = await start("serve");
  one.link.setPeers(new Map([[2, child.address]]));
  await until("it is up", () => one.link.isUp(2));
  child.process.kill("SIGSTOP");
  await until("it is down", () => !one.link.isUp(2));
  child.process.kill("SIGCONT");
  await until("it is up again", () => one.link.isUp(2));

  expect(one.receiver.events).toEqual(["up 2", "down 2", "up 2"]);
}, 30_000);

test("a process that has closed its transport ends by itself", async () => {
  const one = await openNode(1, QUICK);
  const child = await start("close");
  one.link.setPeers(new Map([[2, child.address]]));
  await until("it is up", () => one.link.isUp(2));
  child.process.stdin?.end(one.address);
  await until("it has ended", () => child.process.exitCode !== null);

  expect([child.process.exitCode, child.said()]).toEqual([0, `${child.address}\nclosed\n`]);
  await until("it is gone", () => one.receiver.events.includes("gone 2"));
}, 30_000);

test("a receiver that throws ends its process, if nobody takes the failure", async () => {
  const one = await openNode(1, QUICK);
  const child = await start("serve");
  one.link.setPeers(new Map([[2, child.address]]));
  await until("it is up", () => one.link.isUp(2));
  one.link.send(2, "bulk", [Buffer.from("x")]);
  await until("it has ended", () => child.process.exitCode !== null);

  expect(child.process.exitCode).toBe(1);
  expect(child.said()).toContain("a receiver's bug");
}, 30_000);
