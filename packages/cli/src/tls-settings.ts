/**
 * TLS, of whoever listens and of whoever connects. NameServers and brokers of a cluster all speak
 * it, or none does; the port for peers has certificates of its own.
 */

import { readFileSync } from "node:fs";
import type { ChannelTls, RpcTls } from "@quorumlog/protocol";
import { flagName, type FlagSetting, type PathSetting } from "./setting-spec.ts";
import { UsageError } from "./settings.ts";

/** Of a process that connects. */
export const CLIENT_TLS: {
  readonly tls: FlagSetting;
  readonly tlsAuthority: PathSetting;
  readonly tlsCertificate: PathSetting;
  readonly tlsKey: PathSetting;
} = {
  tls: { type: "flag", about: "speaks TLS; goes without saying beside any of the next three" },
  tlsAuthority: { type: "path", about: "PEM: who is trusted; default: the system's authorities" },
  tlsCertificate: { type: "path", about: "PEM: shown to servers that ask who is there" },
  tlsKey: { type: "path", about: "PEM: of that certificate" },
};

/** Of a process that listens. */
export const SERVER_TLS: {
  readonly tlsCertificate: PathSetting;
  readonly tlsKey: PathSetting;
  readonly tlsClientAuthority: PathSetting;
} = {
  tlsCertificate: { type: "path", about: "PEM: makes the port speak TLS" },
  tlsKey: { type: "path", about: "PEM: of that certificate" },
  tlsClientAuthority: {
    type: "path",
    about: "PEM: clients have to show a certificate of this authority",
  },
};

interface ClientFiles {
  readonly tls?: boolean | undefined;
  readonly tlsAuthority?: string | undefined;
  readonly tlsCertificate?: string | undefined;
  readonly tlsKey?: string | undefined;
}

interface ServerFiles {
  readonly tlsCertificate?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsClientAuthority?: string | undefined;
}

/** @returns what is missing beside what is given */
export function tlsProblems({
  tlsCertificate,
  tlsKey,
  tlsClientAuthority,
}: ClientFiles & ServerFiles): readonly string[] {
  const problems: string[] = [];
  if ((tlsCertificate === undefined) !== (tlsKey === undefined))
    problems.push("--tls-certificate and --tls-key belong together");
  if (tlsClientAuthority !== undefined && tlsCertificate === undefined)
    problems.push("--tls-client-authority wants --tls-certificate: a port without TLS asks nobody");
  return problems;
}

/** @throws UsageError that names the file that cannot be read */
export function channelTls(files: ClientFiles): ChannelTls | undefined {
  const { tls = false, tlsAuthority, tlsCertificate, tlsKey } = files;
  if (!tls && tlsAuthority === undefined && tlsCertificate === undefined) return undefined;
  const read = readAll({ tlsAuthority, tlsCertificate, tlsKey });
  return {
    ...(read.tlsAuthority === undefined ? {} : { authority: read.tlsAuthority }),
    ...(read.tlsCertificate === undefined ? {} : { certificate: read.tlsCertificate }),
    ...(read.tlsKey === undefined ? {} : { key: read.tlsKey }),
  };
}

/** @throws UsageError that names the file that cannot be read */
export function serverTls({
  tlsCertificate,
  tlsKey,
  tlsClientAuthority,
}: ServerFiles): RpcTls | undefined {
  const read = readAll({ tlsCertificate, tlsKey, tlsClientAuthority });
  if (read.tlsCertificate === undefined || read.tlsKey === undefined) return undefined;
  const { tlsCertificate: certificate, tlsKey: key, tlsClientAuthority: clientAuthority } = read;
  return { certificate, key, ...(clientAuthority === undefined ? {} : { clientAuthority }) };
}

/** The content of files, by the settings that name them. @throws UsageError with all that fail */
export function readAll<Name extends string>(
  files: Readonly<Record<Name, string | undefined>>,
): Record<Name, Buffer | undefined> {
  const contents: Record<string, Buffer | undefined> = {};
  const problems: string[] = [];
  for (const [name, path] of Object.entries<string | undefined>(files)) {
    try {
      contents[name] = path === undefined ? undefined : readFileSync(path);
    } catch (error) {
      problems.push(`--${flagName(name)}: ${(error as Error).message}`);
    }
  }
  if (problems.length > 0) throw new UsageError(problems);
  return contents;
}
