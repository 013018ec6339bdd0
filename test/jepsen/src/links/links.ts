/**
 * All ways that bytes take in a cluster, and what can be done to them. Who does it is a matter of
 * the network that the cluster was started with: proxies of this process, or the kernel.
 */

import type { Seen } from "./seen.ts";
import type { Place, Way } from "./way.ts";

/** Somebody dials somebody. */
export interface LinkPlan {
  readonly from: Place;
  readonly to: Place;
  /** Where `to` listens for it. */
  readonly port: number;
}

/** What is done to ways, until it ends. */
export interface Disturbance {
  /** So far; at its end, after it. */
  seen(): Promise<Seen>;
  /** Idempotent. @returns what was seen of it. */
  end(): Promise<Seen>;
}

/** How bad a way is that is slow. */
export interface Slowness {
  readonly bytesPerSecond: number;
  /** Beside what the rate costs; 0 where a network cannot do it. */
  readonly delayMs: number;
}

/** What a network cannot do, in words of what is missing; it can do what is not in here. */
export interface LinkLacks {
  readonly delay?: string;
  readonly loss?: string;
}

/** Ways that there are no links for are passed over, whatever is done to them. */
export interface Links {
  readonly lacks: LinkLacks;
  /** Where processes of that place listen, and what they come from, as an IPv4 address. */
  hostOf(place: Place): string;
  /** Where `from` has to dial to reach `to`, as `host:port`. */
  address(from: Place, to: Place): string;
  /** What a command line begins with to be run there; empty if it is run anywhere. */
  commandAt(place: Place): readonly string[];
  /** The process there has begun, or ended. */
  setUp(place: Place, isUp: boolean): void;
  /**
   * Passes nothing on, without a word: no byte, no FIN, no RST. The last one who wanted silence
   * and lets go of it ends it.
   */
  silence(ways: readonly Way[]): Promise<Disturbance>;
  /** The last one who says so decides. */
  slow(ways: readonly Way[], slowness: Slowness): Promise<Disturbance>;
  /**
   * @param share - Of packets that are lost, in (0, 1). The last one who says so decides.
   * @throws RangeError if the network cannot do so: see `lacks`.
   */
  lose(ways: readonly Way[], share: number): Promise<Disturbance>;
  /** Nothing of it is left. Idempotent. */
  close(): Promise<void>;
}

/** @throws Error if there is no such network to be had. */
export type OpenLinks = (plans: readonly LinkPlan[]) => Promise<Links>;
