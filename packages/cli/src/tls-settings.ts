/**
 * TLS, of whoever listens and of whoever connects. NameServers and brokers of a cluster all speak
 * it, or none does; the port for peers and the one for figures have certificates of their own.
 */

import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
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

/** Of a process that listens for clients. */
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

/** Of the port for figures. */
export const METRICS_TLS: {
  readonly metricsTlsCertificate: PathSetting;
  readonly metricsTlsKey: PathSetting;
  readonly metricsTlsClientAuthority: PathSetting;
} = {
  metricsTlsCertificate: { type: "path", about: "PEM: has --metrics speak HTTPS" },
  metricsTlsKey: { type: "path", about: "PEM: of that certificate" },
  metricsTlsClientAuthority: {
    type: "path",
    about: "PEM: whoever asks has to show a certificate of this authority",
  },
};

/** Files, by the settings that name them. */
type Files<Name extends string> = { readonly [Key in Name]?: string | undefined };
type ClientFiles = Files<"tlsAuthority" | "tlsCertificate" | "tlsKey"> & {
  readonly tls?: boolean | undefined;
};
type ServerFiles = Files<keyof typeof SERVER_TLS>;
type MetricsFiles = Files<keyof typeof METRICS_TLS>;

/** @returns what is missing beside what is given */
export function tlsProblems(settings: ServerFiles & MetricsFiles): readonly string[] {
  const { tlsCertificate, tlsKey, tlsClientAuthority } = settings;
  const { metricsTlsCertificate, metricsTlsKey, metricsTlsClientAuthority } = settings;
  const problems: string[] = [];
  if ((tlsCertificate === undefined) !== (tlsKey === undefined))
    problems.push("--tls-certificate and --tls-key belong together");
  if (tlsClientAuthority !== undefined && tlsCertificate === undefined)
    problems.push("--tls-client-authority wants --tls-certificate: a port without TLS asks nobody");
  if ((metricsTlsCertificate === undefined) !== (metricsTlsKey === undefined))
    problems.push("--metrics-tls-certificate and --metrics-tls-key belong together");
  if (metricsTlsClientAuthority !== undefined && metricsTlsCertificate === undefined)
    problems.push("--metrics-tls-client-authority wants --metrics-tls-certificate");
  return problems;
}

/** @throws UsageError that names each file that does not fit */
export function channelTls(files: ClientFiles): ChannelTls | undefined {
  const { tls = false, tlsAuthority, tlsCertificate, tlsKey } = files;
  if (!tls && tlsAuthority === undefined && tlsCertificate === undefined) return undefined;
  const names = { authority: "tlsAuthority", certificate: "tlsCertificate", key: "tlsKey" };
  return readTls(names, { tlsAuthority, tlsCertificate, tlsKey });
}

/** @throws UsageError that names each file that does not fit */
export function serverTls(files: ServerFiles): RpcTls | undefined {
  const { tlsCertificate, tlsKey, tlsClientAuthority } = files;
  const names = {
    certificate: "tlsCertificate",
    key: "tlsKey",
    clientAuthority: "tlsClientAuthority",
  };
  return portTls(readTls(names, { tlsCertificate, tlsKey, tlsClientAuthority }));
}

/** @throws UsageError that names each file that does not fit */
export function metricsTls(files: MetricsFiles): RpcTls | undefined {
  const { metricsTlsCertificate, metricsTlsKey, metricsTlsClientAuthority } = files;
  const names = {
    certificate: "metricsTlsCertificate",
    key: "metricsTlsKey",
    clientAuthority: "metricsTlsClientAuthority",
  };
  const given = { metricsTlsCertificate, metricsTlsKey, metricsTlsClientAuthority };
  return portTls(readTls(names, given));
}

function portTls({
  certificate,
  key,
  clientAuthority,
}: Partial<Record<keyof RpcTls, Buffer>>): RpcTls | undefined {
  if (certificate === undefined || key === undefined) return undefined;
  return { certificate, key, ...(clientAuthority === undefined ? {} : { clientAuthority }) };
}

/**
 * Reads PEM files, and sees whether they are what they are to be.
 *
 * @param names - Of the settings, by what their files are: `key`, and others, which are
 *   certificates.
 * @throws UsageError that names each file that does not fit
 */
export function readTls<Part extends string>(
  names: Readonly<Record<Part, string>>,
  files: Files<string>,
): Partial<Record<Part, Buffer>> {
  const read: Partial<Record<string, Buffer>> = {};
  const problems: string[] = [];
  for (const [part, name] of Object.entries<string>(names)) {
    const path = files[name];
    if (path === undefined) continue;
    try {
      const pem = readFileSync(path);
      createSecureContext(part === "key" ? { key: pem } : { cert: pem });
      read[part] = pem;
    } catch (error) {
      const { message } = error as Error;
      const what = part === "key" ? "no private key" : "no certificate";
      const isFile = (error as NodeJS.ErrnoException).syscall !== undefined;
      const problem = isFile ? message : `${path} is ${what} in PEM`;
      problems.push(`--${flagName(name)}: ${problem}`);
    }
  }
  const { certificate: cert, key } = read;
  if (cert !== undefined && key !== undefined && !isPair(cert, key))
    problems.push("the certificate and the key are not of one pair");
  if (problems.length > 0) throw new UsageError(problems);
  return read;
}

function isPair(cert: Buffer, key: Buffer): boolean {
  try {
    createSecureContext({ cert, key });
    return true;
  } catch {
    // Each is sound by itself, as was seen before: they do not belong together.
    return false;
  }
}
