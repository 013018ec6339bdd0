// Goal: with TLS, whoever is dialed has to show a certificate of the host that was dialed, also if
//   that is an address; which is not sent as a name, of which Node.js would warn.
// Method: servers with certificates for this host and for others; and what Node.js warns of, which
//   it prints on standard error.

import { TestAuthority } from "@quorumlog/transport/testing";
import { expect, onTestFinished, test } from "vitest";
import { channelCredentials } from "../src/channel-credentials.ts";
import { type ChannelTls, NODE_SERVICE, RpcChannel, RpcServer } from "../src/index.ts";

const AUTHORITY = new TestAuthority();
const TRUSTING: ChannelTls = { authority: AUTHORITY.certificate };
const PATIENCE_MS = 10_000;
/** Since the first connection: some are told once. */
const warnings: Error[] = [];
process.on("warning", (warning) => warnings.push(warning));

/** @param hosts - In its certificate. */
async function serverWith(
  hosts: readonly string[],
  options: { readonly authority?: TestAuthority; readonly clientAuthority?: string } = {},
): Promise<number> {
  const { authority = AUTHORITY, clientAuthority } = options;
  const server = new RpcServer({
    listen: "127.0.0.1:0",
    tls: {
      ...authority.issue("server", hosts),
      ...(clientAuthority === undefined ? {} : { clientAuthority }),
    },
    onDefect: (error) => {
      throw error;
    },
  });
  const { getStatus } = NODE_SERVICE;
  server.handle({ getStatus }, { getStatus: { unary: () => Promise.resolve({}) } });
  await server.open();
  onTestFinished(() => server.close());
  return server.port;
}

async function connects(address: string, tls: ChannelTls): Promise<boolean> {
  const channel = new RpcChannel({ address, tls });
  onTestFinished(() => {
    channel.close();
  });
  return channel.connect(PATIENCE_MS).then(
    () => true,
    () => false,
  );
}

test("an address that is in the certificate is connected to", async () => {
  const port = await serverWith(["IP:127.0.0.1"]);

  expect(await connects(`127.0.0.1:${port}`, TRUSTING)).toBe(true);
});

test.each([
  ["another address", ["IP:127.0.0.2"]],
  ["a name only", ["DNS:localhost"]],
  ["the address as a name", ["DNS:127.0.0.1"]],
])("a certificate of %s is refused", async (_, hosts) => {
  const port = await serverWith(hosts);

  expect(await connects(`127.0.0.1:${port}`, TRUSTING)).toBe(false);
});

test("a certificate of another authority is refused", async () => {
  const port = await serverWith(["IP:127.0.0.1"], { authority: new TestAuthority() });

  expect(await connects(`127.0.0.1:${port}`, TRUSTING)).toBe(false);
});

test("a name is checked as before", async () => {
  const [named, addressed] = await Promise.all([
    serverWith(["DNS:localhost"]),
    serverWith(["IP:127.0.0.1"]),
  ]);

  expect(await connects(`localhost:${named}`, TRUSTING)).toBe(true);
  expect(await connects(`localhost:${addressed}`, TRUSTING)).toBe(false);
});

test("a client shows its certificate to an address, too", async () => {
  const clients = new TestAuthority("clients");
  const port = await serverWith(["IP:127.0.0.1"], { clientAuthority: clients.certificate });
  const ask = async (tls: ChannelTls): Promise<string> => {
    const channel = new RpcChannel({ address: `127.0.0.1:${port}`, tls });
    onTestFinished(() => {
      channel.close();
    });
    return channel.call(NODE_SERVICE.getStatus, {}).then(
      () => "answered",
      (error: unknown) => (error as { code: string }).code,
    );
  };

  expect(await ask({ ...TRUSTING, ...clients.issue("client") })).toBe("answered");
  expect(await ask({ ...TRUSTING, ...AUTHORITY.issue("client") })).toBe("UNAVAILABLE");
});

test("a certificate is given with its key, or neither", () => {
  const { certificate, key } = AUTHORITY.issue("client");

  expect(() => channelCredentials("127.0.0.1:1", { certificate })).toThrow(TypeError);
  expect(() => channelCredentials("127.0.0.1:1", { key })).toThrow(TypeError);
});

test("nothing of it is warned of", async () => {
  const port = await serverWith(["IP:127.0.0.1"]);
  await connects(`127.0.0.1:${port}`, TRUSTING);
  // They are told in a later turn.
  await new Promise((resolve) => setImmediate(resolve));

  expect(warnings).toEqual([]);
});
