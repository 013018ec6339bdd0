/** How a command finds a cluster. */

import { Admin, type ClusterOptions } from "@quorumlog/client";
import { addressProblem } from "./setting-spec.ts";
import type { FlagSetting, ListSetting, TextSetting } from "./setting-spec.ts";
import { withProgress } from "./progress.ts";
import { channelTls, CLIENT_TLS, tlsProblems } from "./tls-settings.ts";

export const JSON_SETTING: FlagSetting = {
  type: "flag",
  about: "for programs: JSON, an object a line",
};

/** Of each command that speaks to a cluster. */
export const CLUSTER_SETTINGS: typeof CLIENT_TLS & {
  readonly nameServers: ListSetting;
  readonly clusterId: TextSetting;
  readonly json: FlagSetting;
} = {
  nameServers: {
    type: "list",
    about: "host:port of each NameServer, with commas between",
    fallback: ["127.0.0.1:9876"],
    check: addressProblem,
  },
  clusterId: { type: "text", about: "of the cluster; default: the only one they know" },
  ...CLIENT_TLS,
  json: JSON_SETTING,
};

export interface ClusterPlace {
  readonly nameServers: readonly string[];
  readonly clusterId?: string | undefined;
  readonly tls?: boolean;
  readonly tlsAuthority?: string | undefined;
  readonly tlsCertificate?: string | undefined;
  readonly tlsKey?: string | undefined;
}

export const clusterProblems: (settings: Partial<ClusterPlace>) => readonly string[] = tlsProblems;

/** @throws UsageError if a certificate cannot be read */
export function clusterOptions(settings: ClusterPlace): ClusterOptions {
  const { nameServers, clusterId } = settings;
  const tls = channelTls(settings);
  return {
    nameServers,
    ...(clusterId === undefined ? {} : { clusterId }),
    ...(tls === undefined ? {} : { tls }),
  };
}

/** Until a NameServer answers: which is told of, if it takes a while. */
export function openAdmin(settings: ClusterPlace, signal: AbortSignal): Promise<Admin> {
  return withProgress(whileConnecting(settings), () =>
    Admin.open({ ...clusterOptions(settings), signal }),
  );
}

export function whileConnecting({ nameServers }: ClusterPlace): string {
  return `waiting for a NameServer of ${nameServers.join(", ")}`;
}
