/** What a cluster has to have for a fault to be possible there. */

import type { LinkLacks } from "../links/links.ts";

export type Need =
  | "clients"
  | "fiveNodes"
  | "forgetfulDisk"
  | "loss"
  | "nameServers"
  | "plainFiles";

/** Of a cluster, as far as faults ask for it. */
export interface FaultGround {
  readonly nodeCount: number;
  readonly nameServerCount: number;
  /** Whether a loss of power takes away what was not synced. */
  readonly forgets: boolean;
  /** Whether what is done to a file on the disk is seen by its node. */
  readonly hasPlainFiles: boolean;
  /** Whether there are processes of clients that can be killed. */
  readonly hasClients: boolean;
  /** What its network cannot do. */
  readonly linkLacks: LinkLacks;
}

/** By need, what is missing, in words. */
const LACKS: Readonly<Record<Need, (ground: FaultGround) => string | undefined>> = {
  clients: ({ hasClients }) => unless(hasClients, "processes of clients"),
  fiveNodes: ({ nodeCount }) => unless(nodeCount >= 5, "five nodes"),
  forgetfulDisk: ({ forgets }) => unless(forgets, "a disk that forgets"),
  loss: ({ linkLacks }) => linkLacks.loss,
  nameServers: ({ nameServerCount }) => unless(nameServerCount > 0, "NameServers"),
  plainFiles: ({ hasPlainFiles }) =>
    unless(hasPlainFiles, "files that rot on the disk (LazyFS has its own copy of them)"),
};

/** @returns what is missing, in words; `undefined`: nothing is. */
export function lackOf(need: Need | undefined, ground: FaultGround): string | undefined {
  return need === undefined ? undefined : LACKS[need](ground);
}

function unless(isThere: boolean, words: string): string | undefined {
  return isThere ? undefined : words;
}
