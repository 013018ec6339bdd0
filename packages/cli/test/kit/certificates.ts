/**
 * Certificates for tests, made by node:crypto alone: X.509 (RFC 5280) with no more in it than TLS
 * looks at. Good for a day, for `localhost` and 127.0.0.1.
 */

import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** An authority, whose certificate is in the file, and which signs for others. */
export interface Authority {
  readonly file: string;
  /** @returns the files of a certificate and its key */
  issue(name: string): { readonly certificate: string; readonly key: string };
}

interface Identity {
  readonly name: string;
  readonly publicKey: KeyObject;
  readonly isAuthority: boolean;
}

const DAY_MS = 86_400_000;

export function makeAuthority(folder: string, name: string): Authority {
  mkdirSync(folder, { recursive: true });
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer = { name, privateKey };
  const write = (file: string, text: string): string => {
    const path = join(folder, file);
    writeFileSync(path, text);
    return path;
  };
  const own = certificateOf({ name, publicKey, isAuthority: true }, issuer);
  const file = write(`${name}.pem`, own);
  return {
    file,
    issue: (subject) => {
      const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const identity = { name: subject, publicKey: pair.publicKey, isAuthority: false };
      const key = pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
      const text = certificateOf(identity, issuer);
      return {
        certificate: write(`${name}-${subject}.pem`, text),
        key: write(`${name}-${subject}.key`, key),
      };
    },
  };
}

/** In PEM. */
function certificateOf(
  { name, publicKey, isAuthority }: Identity,
  issuer: { readonly name: string; readonly privateKey: KeyObject },
): string {
  const ecdsaWithSha256 = sequence(oid("2a8648ce3d040302"));
  const content = sequence(
    tagged(0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ecdsaWithSha256,
    commonName(issuer.name),
    sequence(time(Date.now() - DAY_MS), time(Date.now() + DAY_MS)),
    commonName(name),
    publicKey.export({ type: "spki", format: "der" }),
    tagged(3, sequence(...extensionsOf(isAuthority))),
  );
  const signature = sign("sha256", content, issuer.privateKey);
  const bits = encoded(0x03, Buffer.concat([Buffer.from([0]), signature]));
  const base64 = sequence(content, ecdsaWithSha256, bits).toString("base64");
  const lines = base64.match(/.{1,64}/gu) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

function extensionsOf(isAuthority: boolean): Buffer[] {
  const isTrue = encoded(0x01, Buffer.from([0xff]));
  if (isAuthority) return [sequence(oid("551d13"), isTrue, octets(sequence(isTrue)))];
  const dns = encoded(0x82, Buffer.from("localhost"));
  const address = encoded(0x87, Buffer.from([127, 0, 0, 1]));
  return [sequence(oid("551d11"), octets(sequence(dns, address)))];
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
