// Goal: a way that is silent is silent, whoever has dialed and whatever ends meanwhile.
// Method: servers and sockets of this process, behind the proxies of two nodes and of clients.

import { connect, createServer, type Socket } from "node:net";
import { until } from "@quorumlog/integration/testing";
import { freePort } from "@quorumlog/transport/testing";
import { expect, onTestFinished, test } from "vitest";
import { Links } from "../src/cluster/links.ts";
import { waysBetween, waysFrom } from "../src/cluster/way.ts";

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

async function linksOf(targetPorts: ReadonlyMap<number, number>): Promise<Links> {
  const plans = [];
  for (const [to, targetPort] of targetPorts)
    for (const from of FROM)
      if (from !== to) plans.push({ from, to, targetPort, port: await freePort() });
  const links = await Links.open(plans);
  onTestFinished(() => links.close());
  return links;
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

  const silence = links.silence(waysBetween([1], [2]));
  ending.socket.end("b");
  resetting.socket.resetAndDestroy();
  const late = dial(links.address(1, 2));
  late.socket.write("c");
  await eventually("all that is kept", () => {
    const { heldBytes, heldEnds, unanswered } = silence.counts();
    return heldBytes === 1 && heldEnds === 2 && unanswered === 1;
  });
  const others = dial(links.address("clients", 2));
  others.socket.write("d");
  await eventually("others pass", () => others.seen.text === "d");
  expect(seen.map(({ end }) => end)).toEqual(["", "", ""]);
  silence.end();
  await eventually("all came", () => late.seen.text === "c" && ending.seen.text === "ab");

  expect(
    seen
      .map(({ end }) => end)
      .filter((end) => end !== "")
      .toSorted(),
  ).toEqual(["ECONNRESET", "FIN"]);
  expect(silence.counts()).toMatchObject({ connections: 2, leakedEnds: 0, ways: 2 });
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

  const silence = links.silence(waysFrom([1], [2]));
  for (const { socket } of [out, back]) socket.write("b");
  await eventually("node 1 hears node 2", () => nodes[0]?.seen[0]?.text === "ab");
  await eventually("both ways are kept", () => silence.counts().heldBytes === 2);

  expect([nodes[1]?.seen[0]?.text, back.seen.text]).toEqual(["a", "a"]);
});

test("who is silenced twice is heard when both have let go", async () => {
  const port = await freePort();
  await echo(port);
  const links = await linksOf(new Map([[2, port]]));
  const client = dial(links.address(1, 2));
  const silences = [1, 2].map(() => links.silence(waysBetween([1], [2])));
  client.socket.write("a");
  silences[0]?.end();
  silences[0]?.end();
  await eventually("it is kept", () => silences[1]?.counts().unanswered === 1);
  expect(client.seen.text).toBe("");
  silences[1]?.end();

  await eventually("it is answered", () => client.seen.text === "a");
});

test("where no process is, connections are refused, but not on a way that is silent", async () => {
  const port = await freePort();
  const links = await linksOf(new Map([[2, port]]));
  links.setUp(2, false);
  const refused = dial(links.address(1, 2));
  await eventually("it is refused", () => refused.seen.end === "ECONNREFUSED");

  const silence = links.silence(waysBetween([1], [2]));
  const silenced = dial(links.address(1, 2));
  await eventually("it is accepted", () => silence.counts().unanswered === 1);
  expect(silenced.seen.end).toBe("");
  silence.end();
  await echo(port);
  links.setUp(2, true);
  const served = dial(links.address(1, 2));
  served.socket.write("a");

  await eventually("it is served", () => served.seen.text === "a");
});
