// Goal: a way that is silent is silent, whoever has dialed and whatever ends meanwhile.
// Method: servers and sockets of this process, behind the proxies of two nodes and of clients.

import { connect, createServer, type Socket } from "node:net";
import { until } from "@quorumlog/integration/testing";
import { freePort } from "@quorumlog/transport/testing";
import { expect, onTestFinished, test } from "vitest";
import type { Disturbance, Links } from "../src/links/links.ts";
import { openProxyLinks } from "../src/links/proxy-links.ts";
import { waysBetween, waysFrom } from "../src/links/way.ts";

const PATIENCE_MS = 20_000;
const FROM = ["clients", 1, 2] as const;

/** What one end of a connection has seen. */
interface Seen {
  text: string;
  end: string;
}

/** Each connection to a node is answered with what came, and how it ended is noted. */
async function echo(port: number): Promise<{ readonly seen: Seen[]; readonly sockets: Socket[] }> {
  const seen: Seen[] = [];
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    seen.push(watch(socket));
    socket.on("data", (chunk) => socket.write(chunk));
  });
  await new Promise<void>((resolve) => {
    server.listen(port, "127.0.0.1", resolve);
  });
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { seen, sockets };
}

function watch(socket: Socket): Seen {
  const seen = { text: "", end: "" };
  socket.on("data", (chunk: Buffer) => (seen.text += chunk.toString()));
  socket.on("end", () => (seen.end ||= "FIN"));
  socket.on("error", (error: NodeJS.ErrnoException) => (seen.end ||= error.code ?? ""));
  return seen;
}

function dial(address: string): { readonly socket: Socket; readonly seen: Seen } {
  const [host = "", port] = address.split(":");
  const socket = connect({ host, port: Number(port), allowHalfOpen: true });
  onTestFinished(() => {
    socket.destroy();
  });
  return { socket, seen: watch(socket) };
}

async function linksOf(ports: ReadonlyMap<number, number>): Promise<Links> {
  const plans = [];
  for (const [to, port] of ports)
    for (const from of FROM) if (from !== to) plans.push({ from, to, port });
  const links = await openProxyLinks(plans);
  onTestFinished(() => links.close());
  return links;
}

async function counted(
  disturbance: Disturbance | undefined,
  expected: Readonly<Record<string, number>>,
): Promise<void> {
  const isSo = async (): Promise<true | undefined> => {
    const counts = (await disturbance?.seen())?.counts ?? {};
    const entries = Object.entries(expected);
    return entries.every(([name, count]) => counts[name] === count) || undefined;
  };
  await until(`counts are ${JSON.stringify(expected)}`, PATIENCE_MS, isSo);
}

function eventually(what: string, look: () => boolean): Promise<unknown> {
  return until(what, PATIENCE_MS, () => look() || undefined);
}

test("no FIN and no RST crosses a way that is silent; what was kept passes later", async () => {
  const port = await freePort();
  const { seen } = await echo(port);
  const links = await linksOf(new Map([[2, port]]));
  const [ending, resetting] = [dial(links.address(1, 2)), dial(links.address(1, 2))];
  for (const { socket } of [ending, resetting]) socket.write("a");
  await eventually("both are answered", () => ending.seen.text + resetting.seen.text === "aa");

  const silence = await links.silence(waysBetween([1], [2]));
  ending.socket.end("b");
  resetting.socket.resetAndDestroy();
  const late = dial(links.address(1, 2));
  late.socket.write("c");
  await counted(silence, { heldBytes: 1, heldEnds: 2, unanswered: 1 });
  const others = dial(links.address("clients", 2));
  others.socket.write("d");
  await eventually("others pass", () => others.seen.text === "d");
  expect(seen.map(({ end }) => end)).toEqual(["", "", ""]);
  await silence.end();
  await eventually("all came", () => late.seen.text === "c" && ending.seen.text === "ab");

  expect(
    seen
      .map(({ end }) => end)
      .filter((end) => end !== "")
      .toSorted(),
  ).toEqual(["ECONNRESET", "FIN"]);
  expect(await silence.seen()).toMatchObject({
    counts: { connections: 2, leakedEnds: 0 },
    hasBitten: true,
    breach: "",
  });
});

test("one direction is silent on connections of both who have dialed", async () => {
  const ports = new Map([
    [1, await freePort()],
    [2, await freePort()],
  ]);
  const nodes = [await echo(ports.get(1) ?? 0), await echo(ports.get(2) ?? 0)];
  const links = await linksOf(ports);
  const [out, back] = [dial(links.address(1, 2)), dial(links.address(2, 1))];
  for (const { socket } of [out, back]) socket.write("a");
  await eventually("both are answered", () => out.seen.text + back.seen.text === "aa");

  const silence = await links.silence(waysFrom([1], [2]));
  for (const { socket } of [out, back]) socket.write("b");
  await eventually("node 1 hears node 2", () => nodes[0]?.seen[0]?.text === "ab");
  await counted(silence, { heldBytes: 2 });

  expect([nodes[1]?.seen[0]?.text, back.seen.text]).toEqual(["a", "a"]);
});

test("who is silenced twice is heard when both have let go", async () => {
  const port = await freePort();
  await echo(port);
  const links = await linksOf(new Map([[2, port]]));
  const client = dial(links.address(1, 2));
  const silences = await Promise.all([1, 2].map(() => links.silence(waysBetween([1], [2]))));
  client.socket.write("a");
  await silences[0]?.end();
  await silences[0]?.end();
  await counted(silences[1], { unanswered: 1 });
  expect(client.seen.text).toBe("");
  await silences[1]?.end();

  await eventually("it is answered", () => client.seen.text === "a");
});

test("where no process is, connections are refused, but not on a way that is silent", async () => {
  const port = await freePort();
  const links = await linksOf(new Map([[2, port]]));
  links.setUp(2, false);
  const refused = dial(links.address(1, 2));
  await eventually("it is refused", () => refused.seen.end === "ECONNREFUSED");

  const silence = await links.silence(waysBetween([1], [2]));
  const silenced = dial(links.address(1, 2));
  await counted(silence, { unanswered: 1 });
  expect(silenced.seen.end).toBe("");
  await silence.end();
  await echo(port);
  links.setUp(2, true);
  const served = dial(links.address(1, 2));
  served.socket.write("a");

  await eventually("it is served", () => served.seen.text === "a");
});
