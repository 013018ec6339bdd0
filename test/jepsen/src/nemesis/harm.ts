/**
 * Who is down, cut off or damaged at the moment: no more than a minority at a time, so that the
 * others can go on; or all at once, by a fault that says so.
 */

/** Nodes that a fault has for itself, until it lets go of them. */
export interface Claim {
  readonly nodes: readonly number[];
  /** Idempotent. */
  release(): void;
}

export class Harm {
  readonly #memberIds: () => readonly number[];
  readonly #claims = new Set<Claim>();

  /** @param memberIds - The nodes that a majority is counted of. */
  constructor(memberIds: () => readonly number[]) {
    this.#memberIds = memberIds;
  }

  /** How many more may be harmed. */
  get room(): number {
    const minority = Math.floor((this.#memberIds().length - 1) / 2);
    const taken = [...this.#claims].reduce((count, { nodes }) => count + nodes.length, 0);
    return Math.max(0, minority - taken);
  }

  /** Members that nobody harms. */
  get unharmed(): readonly number[] {
    return this.#memberIds().filter((nodeId) => !this.isHarmed(nodeId));
  }

  isHarmed(nodeId: number): boolean {
    return [...this.#claims].some(({ nodes }) => nodes.includes(nodeId));
  }

  /** @returns `undefined` if that would be too many, or one of them is harmed already. */
  claim(nodes: readonly number[]): Claim | undefined {
    if (nodes.length > this.room) return undefined;
    return nodes.some((nodeId) => this.isHarmed(nodeId)) ? undefined : this.#add(nodes);
  }

  /** @returns `undefined` while anybody is harmed. */
  claimAll(): Claim | undefined {
    return this.#claims.size > 0 ? undefined : this.#add(this.#memberIds());
  }

  #add(nodes: readonly number[]): Claim {
    const claim: Claim = {
      nodes: [...nodes],
      release: () => {
        this.#claims.delete(claim);
      },
    };
    this.#claims.add(claim);
    return claim;
  }
}
