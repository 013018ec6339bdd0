// Goal: with TLS and an authority for clients, only those with a certificate register and watch.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  registration,
  startBroker,
  startNameServer,
  startWatch,
  until,
} from "./kit/registrations.ts";

const PROGRAM = "openssl";
const hasOpenssl = spawnSync(PROGRAM, ["version"]).status === 0;

/** A certificate that is its own authority, for servers and clients on this machine. */
function selfSigned(): { certificate: string; key: string } {
  const folder = mkdtempSync(join(tmpdir(), "quorumlog-tls-"));
  try {
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    const files = ["-keyout", "key.pem", "-out", "certificate.pem", "-days", "2"];
    const names = ["-subj", "/CN=quorumlog", "-addext", "subjectAltName=DNS:localhost"];
    const words = ["req", "-x509", ...curve, ...files, ...names];
    execFileSync(PROGRAM, words, { cwd: folder, stdio: "pipe" });
    const read = (name: string): string => readFileSync(join(folder, name), "utf8");
    return { certificate: read("certificate.pem"), key: read("key.pem") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test.skipIf(!hasOpenssl)("a node and a client with certificates; neither without", async () => {
  const { certificate, key } = selfSigned();
  const server = await startNameServer({
    tls: { certificate, key, clientAuthority: certificate },
  });
  const nameServers = [`localhost:${server.port}`];
  const tls = { authority: certificate, certificate, key };
  const failed: string[] = [];
  const onEvent = (event: { readonly type: string }): void => {
    if (event.type === "nameServerDown") failed.push(event.type);
  };

  const broker = startBroker([server], registration(1), { nameServers, tls });
  await until(() => broker.upCount === 1);
  const stranger = startBroker([server], registration(2), {
    nameServers,
    tls: { authority: certificate },
    onEvent,
  });
  const plain = startWatch([server], { nameServers, onEvent });
  await until(() => failed.length >= 2);
  const watch = startWatch([server], { nameServers, tls });

  expect((await watch.ready()).groups[0]?.nodes.map(({ nodeId }) => nodeId)).toEqual([1]);
  expect(stranger.upCount).toBe(0);
  expect(plain.cluster).toBeUndefined();
});
