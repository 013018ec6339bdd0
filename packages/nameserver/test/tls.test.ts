// Goal: with TLS and an authority for clients, only those with a certificate register and watch.
import { TestAuthority } from "@quorumlog/transport/testing";
import { expect, test } from "vitest";
import {
  registration,
  startBroker,
  startNameServer,
  startWatch,
  until,
} from "./kit/registrations.ts";

test("a node and a client with certificates; neither without", async () => {
  const authority = new TestAuthority();
  const server = await startNameServer({
    tls: { ...authority.issue("server"), clientAuthority: authority.certificate },
  });
  const nameServers = [`localhost:${server.port}`];
  const tls = { authority: authority.certificate, ...authority.issue("client") };
  const failed: string[] = [];
  const onEvent = (event: { readonly type: string }): void => {
    if (event.type === "nameServerDown") failed.push(event.type);
  };

  const broker = startBroker([server], registration(1), { nameServers, tls });
  await until(() => broker.upCount === 1);
  const stranger = startBroker([server], registration(2), {
    nameServers,
    tls: { authority: authority.certificate },
    onEvent,
  });
  const plain = startWatch([server], { nameServers, onEvent });
  await until(() => failed.length >= 2);
  const watch = startWatch([server], { nameServers, tls });

  expect((await watch.ready()).groups[0]?.nodes.map(({ nodeId }) => nodeId)).toEqual([1]);
  expect(stranger.upCount).toBe(0);
  expect(plain.cluster).toBeUndefined();
});
