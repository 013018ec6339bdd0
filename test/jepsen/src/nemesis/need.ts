/** What a cluster has to have for a fault to be possible there. */

export type Need = "clients" | "fiveNodes" | "forgetfulDisk" | "nameServers";

/** Of a cluster, as far as faults ask for it. */
export interface FaultGround {
  readonly nodeCount: number;
  readonly nameServerCount: number;
  /** Whether a loss of power takes away what was not synced. */
  readonly forgets: boolean;
  /** Whether there are processes of clients that can be killed. */
  readonly hasClients: boolean;
}

interface NeedRow {
  readonly words: string;
  readonly isMet: (ground: FaultGround) => boolean;
}

const NEEDS: Readonly<Record<Need, NeedRow>> = {
  clients: { words: "processes of clients", isMet: ({ hasClients }) => hasClients },
  fiveNodes: { words: "five nodes", isMet: ({ nodeCount }) => nodeCount >= 5 },
  forgetfulDisk: { words: "a disk that forgets", isMet: ({ forgets }) => forgets },
  nameServers: { words: "NameServers", isMet: ({ nameServerCount }) => nameServerCount > 0 },
};

/** @returns what is missing, in words; `undefined`: nothing is. */
export function lackOf(need: Need | undefined, ground: FaultGround): string | undefined {
  if (need === undefined) return undefined;
  const { words, isMet } = NEEDS[need];
  return isMet(ground) ? undefined : words;
}
