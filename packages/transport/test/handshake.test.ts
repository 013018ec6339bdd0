// Goal: only nodes of the cluster get in, each as itself; whoever does not is told why, and so are
// the operators of both ends, once.
// Method: pairs of nodes that differ in one thing; dialers made by hand for what no node does.

import { createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { AcceptorHandshake, type Credentials, DialerHandshake } from "../src/handshake.ts";
import { decodeAnswer } from "../src/handshake-message.ts";
import { lengthPrefixed } from "../src/handshake-stream.ts";
import { closed, openNode, type TestNode, until } from "./kit/node.ts";
import { RawClient } from "./kit/raw.ts";

type Code = "PEER_CLUSTER" | "PEER_TOKEN" | "PEER_NODE" | "PEER_SELF";

function refusals(node: TestNode, code: Code): number {
  return node.transport.status().counters.refusedThere[code] ?? 0;
}

async function expectRefused(one: TestNode, two: TestNode, code: Code): Promise<void> {
  await until("it was refused, and dialed again", () => refusals(one, code) >= 3);
  const [peer] = one.transport.status().peers;
  expect(peer).toMatchObject({ state: "refused", failure: { code } });
  expect(one.receiver.events).toEqual([]);
  expect(one.lines).toMatchObject([{ level: "error", message: "peer refused", code }]);
  expect(two.transport.status().counters.refusedHere[code]).toBeGreaterThanOrEqual(3);
  expect(two.lines).toMatchObject([{ level: "warn", message: "dialer refused", code }]);
  expect(two.transport.status().inboundCount).toBe(0);
}

test.each([
  ["PEER_CLUSTER", { clusterId: "another" }],
  ["PEER_TOKEN", { token: "another secret of the right length" }],
] as const)("%s: refused on both sides, said once, and dialed again", async (code, given) => {
  const one = await openNode(1);
  const two = await openNode(2, given);
  one.link.setPeers(new Map([[2, two.address]]));

  await expectRefused(one, two, code);
});

test("PEER_NODE: another node is at the address", async () => {
  const one = await openNode(1);
  const two = await openNode(2);
  one.link.setPeers(new Map([[3, two.address]]));

  await expectRefused(one, two, "PEER_NODE");
  expect(one.transport.status().peers[0]?.failure?.message).toBe(
    "node 2 answers where node 3 was expected",
  );
});

test("PEER_SELF: an address leads back to the node, or an id was given twice", async () => {
  const one = await openNode(1);
  const other = await openNode(1);
  one.link.setPeers(new Map([[2, other.address]]));
  await expectRefused(one, other, "PEER_SELF");

  one.link.setPeers(new Map([[2, one.address]]));
  await until("it was refused", () => (one.transport.status().peers[0]?.dialCount ?? 0) > 2);
  expect(one.transport.status().peers[0]).toMatchObject({ failure: { code: "PEER_SELF" } });
});

test("a node that is put right is let in", async () => {
  const one = await openNode(1);
  const two = await openNode(2, { clusterId: "another" });
  one.link.setPeers(new Map([[2, two.address]]));
  await until("it was refused", () => refusals(one, "PEER_CLUSTER") > 0);
  await closed(two.transport);
  await openNode(2, { listen: two.address });

  await until("it is up", () => one.link.isUp(2));

  expect(one.transport.status().peers[0]).toMatchObject({ state: "up", failure: undefined });
  expect(one.receiver.events).toEqual(["up 2"]);
});

test("PEER_HELLO: what listens there is no node", async () => {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.write(`HTTP/1.1 400 Bad Request${"\r\n".repeat(40)}`);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(() => {
    server.close();
  });
  const one = await openNode(1);
  const { port } = server.address() as { port: number };
  one.link.setPeers(new Map([[2, `127.0.0.1:${port}`]]));

  await until("it was refused", () => one.transport.status().peers[0]?.state === "refused");

  expect(one.transport.status().peers[0]?.failure?.code).toBe("PEER_HELLO");
});

describe("incarnations", () => {
  test("the same node again replaces its earlier connection, lane by lane", async () => {
    const node = await openNode(1);
    const first = new RawClient(node.address);
    const bulk = new RawClient(node.address);
    await first.join();
    await bulk.join({ lane: "bulk" });
    const second = new RawClient(node.address);
    await second.join();
    await first.closed();

    expect([second.isClosed, bulk.isClosed]).toEqual([false, false]);
    expect(node.transport.status().inboundCount).toBe(2);
  });

  test("a later one replaces all of the earlier; an earlier one is refused", async () => {
    const node = await openNode(1);
    const control = new RawClient(node.address);
    const bulk = new RawClient(node.address);
    await control.join();
    await bulk.join({ lane: "bulk" });
    const later = new RawClient(node.address);
    await later.join({ from: { nodeId: 9, incarnation: 2 } });
    await control.closed();
    await bulk.closed();
    const late = new RawClient(node.address);
    await late.join({ lane: "bulk" });

    expect(() => decodeAnswer(late.received.subarray(44))).toThrow(
      expect.objectContaining({ code: "PEER_INCARNATION" }),
    );
    expect(later.isClosed).toBe(false);
    expect(node.transport.status().inboundCount).toBe(1);
  });
});

test("a dialer takes any life of a node: groups say which one counts", async () => {
  const one = await openNode(1);
  const two = await openNode(2, { incarnation: 5 });
  one.link.setPeers(new Map([[2, two.address]]));
  await until("it is up", () => one.link.isUp(2));
  await closed(two.transport);
  await until("it is down", () => !one.link.isUp(2));
  await openNode(2, { incarnation: 4, listen: two.address });
  await until("it is up again", () => one.link.isUp(2));

  expect(one.receiver.events).toEqual(["up 2", "down 2", "gone 2", "up 2"]);
});

test("a dialer without a common version learns what is spoken", async () => {
  const node = await openNode(1);
  const client = new RawClient(node.address);
  await client.join({ versions: { min: 7, max: 9 } });

  expect(() => decodeAnswer(client.received.subarray(44))).toThrow(
    "speaks 1 to 1, the other 7 to 9",
  );
  expect(node.transport.status().counters.refusedHere).toEqual({ PEER_VERSION: 1 });
});

test("a hello that was overheard is worth nothing", async () => {
  const node = await openNode(1);
  const first = new RawClient(node.address);
  const hello = await first.hello();
  const second = new RawClient(node.address);
  await second.challenge();
  second.socket.write(lengthPrefixed(hello));
  await second.answer();

  expect(() => decodeAnswer(second.received.subarray(44))).toThrow(
    expect.objectContaining({ code: "PEER_TOKEN" }),
  );
});

function shake(acceptor: Credentials, other: Credentials, toNodeId = 1): unknown {
  const one = new AcceptorHandshake(acceptor);
  const two = new DialerHandshake(other, toNodeId);
  const { hello, answer } = one.onHello(two.onChallenge(one.challenge, "bulk", [4]));
  return [hello.from, hello.lane, hello.groupIds, two.onAnswer(answer)];
}

describe("without sockets", () => {
  const own: Credentials = {
    clusterId: "c",
    identity: { nodeId: 1, incarnation: 5 },
    token: Buffer.from("a token of the cluster"),
  };
  const dialer: Credentials = { ...own, identity: { nodeId: 2, incarnation: 6 } };

  test("both learn who the other is", () => {
    expect(shake(own, dialer)).toEqual([dialer.identity, "bulk", [4], own.identity]);
  });

  test("with certificates for proof, neither needs a token", () => {
    const bare = { token: undefined };
    expect(shake({ ...own, ...bare }, { ...dialer, ...bare })).toHaveLength(4);
  });

  test.each([
    [{ token: undefined }, {}],
    [{}, { token: undefined }],
  ])("a token is demanded by whoever has one: %o %o", (one, two) => {
    expect(() => shake({ ...own, ...one }, { ...dialer, ...two })).toThrow(
      expect.objectContaining({ code: "PEER_TOKEN" }),
    );
  });

  test("versions that overlap agree", () => {
    const versions = { min: 1, max: 4 };
    expect(shake({ ...own, versions }, dialer)).toHaveLength(4);
    expect(shake(own, { ...dialer, versions })).toHaveLength(4);
  });

  test("an acceptor that only pretends to have the token is found out", () => {
    const one = new AcceptorHandshake({ ...own, token: undefined });
    const two = new DialerHandshake(dialer, 1);
    const hello = two.onChallenge(one.challenge, "control", []);
    // It takes any hello, and cannot prove itself over the nonce in it.
    const real = new AcceptorHandshake(own);
    const replayed = new DialerHandshake(dialer, 1).onChallenge(real.challenge, "control", []);
    const { answer } = real.onHello(replayed);

    expect(hello.byteLength).toBeGreaterThan(0);
    expect(() => two.onAnswer(answer)).toThrow(expect.objectContaining({ code: "PEER_TOKEN" }));
  });
});
