// Goal: with TLS, nobody gets in without a certificate of the cluster's authority, in either
// direction; a token may be demanded on top.
// Method: certificates made for the run, of two authorities.

import { connect as connectTls } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import type { TransportTls } from "../src/index.ts";
import { TestAuthority } from "../src/testing/index.ts";
import { openNode, TOKEN, until } from "./kit/node.ts";
import { RawClient } from "./kit/raw.ts";

const ours = new TestAuthority("ours");
const theirs = new TestAuthority("theirs");
const loopback = issuedBy(ours, "IP:127.0.0.1");

function issuedBy(authority: TestAuthority, host: string): TransportTls {
  const { certificate, key } = authority.issue("node", [host]);
  return { key, cert: certificate, ca: authority.certificate };
}

test.each([
  ["without a token", undefined],
  ["with a token", TOKEN],
])("nodes find each other %s", async (_name, token) => {
  const one = await openNode(1, { tls: loopback, token });
  const two = await openNode(2, { tls: issuedBy(ours, "IP:127.0.0.1"), token });
  one.link.setPeers(new Map([[2, two.address]]));
  two.link.setPeers(new Map([[1, one.address]]));
  await until("both are up", () => one.link.isUp(2) && two.link.isUp(1));
  const payload = Buffer.alloc(3 << 20, "tls ");
  one.link.send(2, "bulk", [payload.subarray(0, 99), payload.subarray(99)]);
  await until("a frame arrives", () => two.receiver.frames.length === 1);

  expect(payload.equals(two.receiver.frames[0]?.payload ?? Buffer.alloc(0))).toBe(true);
  expect(one.transport.status()).toMatchObject({ inboundCount: 2, handshakeCount: 0 });
});

test("one name may be in every certificate", async () => {
  const tls = { ...issuedBy(ours, "DNS:quorumlog.internal"), serverName: "quorumlog.internal" };
  const one = await openNode(1, { tls, token: undefined });
  const two = await openNode(2, { tls, token: undefined });
  one.link.setPeers(new Map([[2, two.address]]));

  await until("it is up", () => one.link.isUp(2));
});

test("a certificate of another authority is refused by both ends", async () => {
  const one = await openNode(1, { tls: issuedBy(theirs, "IP:127.0.0.1"), token: TOKEN });
  const two = await openNode(2, { tls: loopback, token: TOKEN });
  one.link.setPeers(new Map([[2, two.address]]));
  two.link.setPeers(new Map([[1, one.address]]));
  await until("both have failed", () =>
    [one, two].every(({ lines }) => lines.some(({ message }) => message === "peer not reached")),
  );

  expect(one.receiver.events).toEqual([]);
  expect(two.transport.status().inboundCount).toBe(0);
});

test("a certificate for another name is refused by the dialer", async () => {
  const one = await openNode(1, { tls: loopback, token: TOKEN });
  const two = await openNode(2, { tls: issuedBy(ours, "DNS:elsewhere"), token: TOKEN });
  one.link.setPeers(new Map([[2, two.address]]));
  await until("it has failed", () => one.lines.length > 0);

  expect(one.lines[0]).toMatchObject({ code: "ERR_TLS_CERT_ALTNAME_INVALID" });
});

test("a setting of the whole process does not turn that off", async () => {
  const name = "NODE_TLS_REJECT_UNAUTHORIZED";
  const before = process.env[name];
  onTestFinished(() => {
    if (before === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = before;
  });
  process.env[name] = "0";
  const one = await openNode(1, { tls: loopback, token: undefined });
  const two = await openNode(2, { tls: issuedBy(ours, "DNS:elsewhere"), token: undefined });
  one.link.setPeers(new Map([[2, two.address]]));
  await until("it has failed, or not", () => one.lines.length > 0);

  expect(one.lines[0]).toMatchObject({ code: "ERR_TLS_CERT_ALTNAME_INVALID" });
});

test("without a certificate, or without TLS, nobody gets in", async () => {
  const node = await openNode(1, { tls: loopback, token: TOKEN, handshakeMs: 300 });
  const plain = new RawClient(node.address);
  plain.socket.write("no TLS at all");
  await plain.closed();
  const silent = new RawClient(node.address);
  await silent.closed();
  const { port } = node.transport.address;
  const bare = connectTls({ host: "127.0.0.1", port, ca: loopback.ca });
  bare.on("error", () => undefined);
  await new Promise((resolve) => {
    bare.once("close", resolve);
  });

  const { badConnections } = node.transport.status().counters;
  expect(badConnections).toEqual({ tls: 2, handshakeTimeout: 1 });
  expect(node.transport.status()).toMatchObject({ inboundCount: 0, handshakeCount: 0 });
});

test("with the right certificate and the wrong token, nobody gets in either", async () => {
  const one = await openNode(1, { tls: loopback, token: "another secret, just as long" });
  const two = await openNode(2, { tls: loopback });
  one.link.setPeers(new Map([[2, two.address]]));
  await until("it was refused", () => one.transport.status().peers[0]?.state === "refused");

  expect(one.lines).toMatchObject([{ code: "PEER_TOKEN" }]);
});
