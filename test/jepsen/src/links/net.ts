/** Which network clusters of a run are on: `--net`. */

import type { LinkLacks, OpenLinks } from "./links.ts";
import { NamespaceLinks } from "./namespace-links.ts";
import { tryNamespaces } from "./namespace-trial.ts";
import { openProxyLinks, PROXY_LACKS } from "./proxy-links.ts";

export type NetName = "netns" | "proxy";

export const NET_NAMES: readonly NetName[] = ["proxy", "netns"];

export interface Net {
  readonly name: NetName;
  readonly open: OpenLinks;
  readonly lacks: LinkLacks;
}

const PROXY_NET: Net = {
  name: "proxy",
  open: openProxyLinks,
  lacks: PROXY_LACKS,
};

/** @throws NamespacesMissingError */
export async function netNamed(name: NetName): Promise<Net> {
  if (name === "proxy") return PROXY_NET;
  const lacks = await tryNamespaces();
  return { name, lacks, open: (plans) => NamespaceLinks.open(plans, lacks) };
}
