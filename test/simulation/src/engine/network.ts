/**
 * The fake network: a link for each ordered pair of hosts. A link may lose, delay, repeat and
 * reorder; it may be clogged (what is sent arrives when the clog ends) or blocked (nothing
 * arrives).
 *
 * Blocks are counted, so that faults which overlap can end in any order.
 */

import type { Prng } from "@quorumlog/std";
import type { EventQueue, Micros } from "./event-queue.ts";

export interface LinkQuality {
  /** One-way delay: at least this, plus an exponential part with this mean. */
  readonly delayMin: Micros;
  readonly delayMean: Micros;
  /** Probabilities, in `[0, 1]`. */
  readonly loss: number;
  readonly duplication: number;
}

export interface NetworkOptions extends LinkQuality {
  /** Messages of one link arrive in the order they were sent, as over TCP. */
  readonly isOrdered: boolean;
  /** Messages on their way over one link; more are dropped. */
  readonly capacity: number;
  /** Whether a block also stops what is on its way. */
  readonly blocksInFlight: boolean;
}

/** What became of a message as it was sent; one that was sent may yet find nobody. */
export type SendOutcome = "sent" | "blocked" | "lost" | "overflow";

export class Link {
  quality: LinkQuality;
  blockCount = 0;
  clogUntil: Micros = 0;
  inFlightCount = 0;
  lastArrival: Micros = 0;

  constructor(quality: LinkQuality) {
    this.quality = quality;
  }

  get isBlocked(): boolean {
    return this.blockCount > 0;
  }
}

export class Network {
  readonly options: NetworkOptions;
  readonly #queue: EventQueue;
  readonly #prng: Prng;
  readonly #links = new Map<number, Link>();

  constructor(queue: EventQueue, prng: Prng, options: NetworkOptions) {
    this.options = options;
    this.#queue = queue;
    this.#prng = prng;
  }

  link(from: number, to: number): Link {
    const key = from * 4096 + to;
    const known = this.#links.get(key);
    if (known !== undefined) return known;
    const link = new Link(this.options);
    this.#links.set(key, link);
    return link;
  }

  /**
   * Sends something whose arrival is `deliver`, perhaps twice, perhaps never.
   *
   * @param extraDelay - For what is large.
   */
  send(path: { from: number; to: number; extraDelay: Micros }, deliver: () => void): SendOutcome {
    const link = this.link(path.from, path.to);
    if (link.isBlocked) return "blocked";
    if (this.#prng.chance(link.quality.loss)) return "lost";
    if (link.inFlightCount >= this.options.capacity) return "overflow";
    this.#transmit(link, path.extraDelay, deliver);
    if (this.#prng.chance(link.quality.duplication)) this.#transmit(link, 0, deliver);
    return "sent";
  }

  #transmit(link: Link, extraDelay: Micros, deliver: () => void): void {
    const { delayMin, delayMean } = link.quality;
    const now = this.#queue.now;
    let arrival =
      Math.max(now, link.clogUntil) + delayMin + exponential(this.#prng, delayMean) + extraDelay;
    if (this.options.isOrdered) arrival = Math.max(arrival, link.lastArrival + 1);
    link.lastArrival = arrival;
    link.inFlightCount += 1;
    this.#queue.schedule(arrival - now, () => {
      link.inFlightCount -= 1;
      if (link.isBlocked && this.options.blocksInFlight) return;
      deliver();
    });
  }

  /** Blocks one direction; the returned function takes the block back, once. */
  block(from: number, to: number): () => void {
    const link = this.link(from, to);
    link.blockCount += 1;
    let isActive = true;
    return () => {
      if (isActive) link.blockCount -= 1;
      isActive = false;
    };
  }

  /** Holds everything that is sent over a link from now on until `until`. */
  clog(from: number, to: number, until: Micros): void {
    const link = this.link(from, to);
    link.clogUntil = Math.max(link.clogUntil, until);
  }

  /** Changes how links behave; the returned function makes them what they were at first. */
  degrade(pairs: readonly (readonly [number, number])[], quality: LinkQuality): () => void {
    const links = pairs.map(([from, to]) => this.link(from, to));
    for (const link of links) link.quality = quality;
    return () => {
      for (const link of links) if (link.quality === quality) link.quality = this.options;
    };
  }

  /** When the last of what is on its way arrives: what a clog held back may take a while. */
  get lastArrival(): Micros {
    let last = this.#queue.now;
    for (const link of this.#links.values()) last = Math.max(last, link.lastArrival);
    return last;
  }

  /** Makes every link a good one. */
  heal(): void {
    const quality = { ...this.options, loss: 0, duplication: 0 };
    for (const link of this.#links.values()) {
      link.blockCount = 0;
      link.clogUntil = 0;
      link.quality = quality;
    }
  }
}

/** An exponentially distributed delay with the given mean, at most ten times that. */
export function exponential(prng: Prng, mean: number): number {
  return Math.min(-Math.log(1 - prng.fraction()) * mean, mean * 10);
}
