/** Certificates made by the machine's openssl, for one test run. */

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TransportTls } from "../../src/index.ts";

const PROGRAM = "openssl";

export const hasOpenssl: boolean = spawnSync(PROGRAM, ["version"]).status === 0;

/** An authority, and a way to have it sign for a name. */
export interface Authority {
  issue(name: string): TransportTls;
}

export function makeAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), "quorumlog-tls-"));
  process.once("exit", () => {
    rmSync(folder, { recursive: true, force: true });
  });
  const file = (name: string): string => join(folder, name);
  const openssl = (...words: string[]): void => {
    execFileSync(PROGRAM, words, { stdio: "pipe", cwd: folder });
  };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout"];
  openssl("req", "-x509", ...key, "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-days", "2");
  const ca = readFileSync(file("ca.pem"), "utf8");
  let count = 0;
  const issue = (name: string): TransportTls => {
    count += 1;
    const id = `node${count}`;
    writeFileSync(file(`${id}.ext`), `subjectAltName=${name}`);
    openssl("req", "-new", ...key, `${id}.key`, "-out", `${id}.csr`, "-subj", "/CN=node");
    const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
    const made = ["-in", `${id}.csr`, "-out", `${id}.pem`, "-extfile", `${id}.ext`];
    openssl("x509", "-req", ...signed, ...made);
    const [own, cert] = [`${id}.key`, `${id}.pem`].map((at) => readFileSync(file(at), "utf8"));
    return { key: own ?? "", cert: cert ?? "", ca };
  };
  return { issue };
}
