/**
 * Who is down, cut off or damaged at the moment, by a fault or by itself: no more than a minority
 * at a time, so that the others can go on; or all at once, by a fault that says so.
 */

/** Nodes that a fault has for itself, until it lets go of them. */
export interface Claim {
  readonly nodes: readonly number[];
  /** Idempotent. */
  release(): void;
}

export class Harm {
  readonly #memberIds: () => readonly number[];
  readonly #isServing: (nodeId: number) => boolean;
  readonly #claims = new Set<Claim>();

  /** @param memberIds - The nodes that a majority is counted of. */
  constructor(memberIds: () => readonly number[], isServing: (nodeId: number) => boolean) {
    this.#memberIds = memberIds;
    this.#isServing = isServing;
  }

  /** How many more may be harmed. */
  get room(): number {
    const minority = Math.floor((this.#memberIds().length - 1) / 2);
    const claimed = [...this.#claims].reduce((count, { nodes }) => count + nodes.length, 0);
    return Math.max(0, minority - claimed - this.ended.length);
  }

  /** Members that nobody harms, and that are there. */
  get unharmed(): readonly number[] {
    return this.#memberIds().filter((nodeId) => !this.isHarmed(nodeId));
  }

  /** Members that are not there, and no fault is why. */
  get ended(): readonly number[] {
    return this.#memberIds().filter(
      (nodeId) => !this.#isServing(nodeId) && !this.#isClaimed(nodeId),
    );
  }

  isHarmed(nodeId: number): boolean {
    return this.#isClaimed(nodeId) || !this.#isServing(nodeId);
  }

  /** @returns `undefined` if that would be too many, or one of them is harmed already. */
  claim(nodes: readonly number[]): Claim | undefined {
    if (nodes.length > this.room) return undefined;
    return nodes.some((nodeId) => this.isHarmed(nodeId)) ? undefined : this.#add(nodes);
  }

  /** Of a member that is not there: for whoever starts it. */
  claimEnded(nodeId: number): Claim {
    return this.#add([nodeId]);
  }

  /** @returns `undefined` while anybody is harmed. */
  claimAll(): Claim | undefined {
    return this.#claims.size > 0 || this.ended.length > 0
      ? undefined
      : this.#add(this.#memberIds());
  }

  #isClaimed(nodeId: number): boolean {
    return [...this.#claims].some(({ nodes }) => nodes.includes(nodeId));
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
