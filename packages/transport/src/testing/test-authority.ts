/**
 * Certificates for tests, made by node:crypto alone: X.509 (RFC 5280) with no more in it than TLS
 * looks at. Good for a day.
 */

import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

/** In PEM. */
export interface CertifiedKey {
  readonly certificate: string;
  readonly key: string;
}

interface Subject {
  readonly name: string;
  readonly publicKey: KeyObject;
  /** Hosts, as `DNS:localhost` or `IP:127.0.0.1`; `undefined` for an authority. */
  readonly hosts: readonly string[] | undefined;
}

const DAY_MS = 86_400_000;
const LOOPBACK: readonly string[] = ["DNS:localhost", "IP:127.0.0.1"];

/** Who signs for others. */
export class TestAuthority {
  readonly #name: string;
  readonly #privateKey: KeyObject;
  /** Its own, in PEM. */
  readonly certificate: string;

  constructor(name = "authority") {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#name = name;
    this.#privateKey = privateKey;
    this.certificate = this.#certificateOf({ name, publicKey, hosts: undefined });
  }

  /** @param hosts - As `DNS:localhost` or `IP:127.0.0.1`; those two by default. */
  issue(name = "node", hosts: readonly string[] = LOOPBACK): CertifiedKey {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    return {
      certificate: this.#certificateOf({ name, publicKey, hosts }),
      key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    };
  }

  #certificateOf({ name, publicKey, hosts }: Subject): string {
    const ecdsaWithSha256 = sequence(oid("2a8648ce3d040302"));
    const content = sequence(
      tagged(0, integer(Buffer.from([2]))),
      integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
      ecdsaWithSha256,
      commonName(this.#name),
      sequence(time(Date.now() - DAY_MS), time(Date.now() + DAY_MS)),
      commonName(name),
      publicKey.export({ type: "spki", format: "der" }),
      tagged(3, sequence(extensionOf(hosts))),
    );
    const signature = sign("sha256", content, this.#privateKey);
    const bits = encoded(0x03, Buffer.concat([Buffer.from([0]), signature]));
    const base64 = sequence(content, ecdsaWithSha256, bits).toString("base64");
    const lines = base64.match(/.{1,64}/gu) ?? [];
    return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
  }
}

/** That it is an authority, or whose it is. */
function extensionOf(hosts: readonly string[] | undefined): Buffer {
  const isTrue = encoded(0x01, Buffer.from([0xff]));
  if (hosts === undefined) return sequence(oid("551d13"), isTrue, octets(sequence(isTrue)));
  return sequence(oid("551d11"), octets(sequence(...hosts.map(hostOf))));
}

function hostOf(text: string): Buffer {
  const [kind, host = ""] = text.split(":");
  if (kind === "DNS") return encoded(0x82, Buffer.from(host));
  return encoded(0x87, Buffer.from(host.split(".").map(Number)));
}

function commonName(name: string): Buffer {
  const text = encoded(0x0c, Buffer.from(name));
  return sequence(encoded(0x31, sequence(oid("550403"), text)));
}

/** As in YYMMDDHHMMSSZ. */
function time(milliseconds: number): Buffer {
  const text = new Date(milliseconds).toISOString().replaceAll(/[-:T]|\.\d+/gu, "");
  return encoded(0x17, Buffer.from(text.slice(2)));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return encoded(0x30, Buffer.concat(parts));
}

function tagged(number: number, part: Buffer): Buffer {
  return encoded(0xa0 + number, part);
}

function integer(bytes: Buffer): Buffer {
  return encoded(0x02, bytes);
}

function octets(bytes: Buffer): Buffer {
  return encoded(0x04, bytes);
}

/** @param hex - As it is encoded. */
function oid(hex: string): Buffer {
  return encoded(0x06, Buffer.from(hex, "hex"));
}

/** DER: tag, length, content. */
function encoded(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}
