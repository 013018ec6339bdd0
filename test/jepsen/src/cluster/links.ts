/**
 * All ways that bytes take in a cluster: each goes through a proxy, where they can be kept.
 *
 *     node 1 ──dials──> proxy ──> node 2      the way 1 -> 2 is this one's forward direction,
 *     node 1 <── proxy <──dials── node 2      and this one's backward direction
 *
 * A way that is silent passes nothing on: no byte, no FIN, no RST. Whoever dials is accepted, and
 * gets no answer. What was kept passes when the last one who wanted silence has let go of it.
 */

import { openLinkProxy, type LinkDirection, type LinkProxy } from "@quorumlog/transport/testing";
import type { Place, Way } from "./way.ts";

export interface LinkPlan {
  readonly from: Place;
  readonly to: Place;
  /** Where the proxy listens. */
  readonly port: number;
  /** Of what it is in front of. */
  readonly targetPort: number;
}

/** What was kept while ways were silent. */
export interface SilenceCounts {
  /** Directions of proxies. */
  readonly ways: number;
  /** Connections that went silent as it began. */
  readonly connections: number;
  /** That came meanwhile. */
  readonly unanswered: number;
  readonly heldBytes: number;
  /** FIN and RST that came meanwhile, and were kept. */
  readonly heldEnds: number;
  /** Those that passed nevertheless: a partition that lets them through is none. */
  readonly leakedEnds: number;
}

export interface Silence {
  counts(): SilenceCounts;
  /** Idempotent. */
  end(): void;
}

export interface Slowness {
  /** That have passed since it began. */
  bytes(): number;
  /** Idempotent. */
  end(): void;
}

interface Link {
  readonly from: Place;
  readonly to: Place;
  readonly proxy: LinkProxy;
  /** How many want it to be silent. */
  readonly silences: Record<LinkDirection, number>;
  /** The process behind it runs. */
  isTargetUp: boolean;
  isListening: boolean;
}

interface LinkWay {
  readonly link: Link;
  readonly direction: LinkDirection;
}

export class Links {
  readonly #links: readonly Link[];
  #listening: Promise<unknown> = Promise.resolve();

  private constructor(links: readonly Link[]) {
    this.#links = links;
  }

  static async open(plans: readonly LinkPlan[]): Promise<Links> {
    const links = plans.map(async ({ from, to, port, targetPort }): Promise<Link> => {
      const proxy = await openLinkProxy({ host: "127.0.0.1", port: targetPort }, port);
      const silences = { forward: 0, backward: 0 };
      return { from, to, proxy, silences, isTargetUp: true, isListening: true };
    });
    return new Links(await Promise.all(links));
  }

  /** Where `from` has to dial to reach `to`, as `host:port`. */
  address(from: Place, to: Place): string {
    const link = this.#links.find((known) => known.from === from && known.to === to);
    if (link === undefined) throw new RangeError(`there is no link from ${from} to ${to}`);
    return link.proxy.address;
  }

  /** The process there has begun, or ended: then nobody listens, unless nobody may know that. */
  setUp(place: Place, isUp: boolean): void {
    for (const link of this.#links)
      if (link.to === place) {
        link.isTargetUp = isUp;
        this.#listenOrNot(link);
      }
  }

  /** @param ways - Those that there are no links for are passed over. */
  silence(ways: readonly Way[]): Silence {
    const silenced = this.#waysOf(ways);
    const proxies = [...new Set(silenced.map(({ link }) => link.proxy))];
    const connections = sum(proxies, (proxy) => proxy.openConnectionCount);
    const before = countsOf(proxies);
    for (const { link, direction } of silenced) this.#silence(link, direction, 1);
    let counts: SilenceCounts | undefined;
    const count = (): SilenceCounts => {
      const now = countsOf(proxies);
      return {
        ways: silenced.length,
        connections,
        unanswered: now.unanswered - before.unanswered,
        heldBytes: sum(proxies, (proxy) => proxy.heldBytes),
        heldEnds: now.heldEnds - before.heldEnds,
        leakedEnds: now.leakedEnds - before.leakedEnds,
      };
    };
    return {
      counts: () => counts ?? count(),
      end: () => {
        if (counts !== undefined) return;
        counts = count();
        for (const { link, direction } of silenced) this.#silence(link, direction, -1);
      },
    };
  }

  /** Both directions of each link; the last one who says so decides. */
  slow(ways: readonly Way[], bytesPerSecond: number, delayMs: number): Slowness {
    const links = [...new Set(this.#waysOf(ways).map(({ link }) => link))];
    const passed = (): number =>
      sum(links, ({ proxy }) => proxy.bytes.forward + proxy.bytes.backward);
    const before = passed();
    for (const { proxy } of links) proxy.slow(bytesPerSecond, delayMs);
    let bytes: number | undefined;
    return {
      bytes: () => bytes ?? passed() - before,
      end: () => {
        if (bytes !== undefined) return;
        bytes = passed() - before;
        for (const { proxy } of links) proxy.slow(Number.POSITIVE_INFINITY, 0);
      },
    };
  }

  async close(): Promise<void> {
    await this.#listening;
    await Promise.all(this.#links.map(({ proxy }) => proxy.close()));
  }

  #waysOf(ways: readonly Way[]): LinkWay[] {
    return this.#links.flatMap((link) => {
      const found: LinkWay[] = [];
      if (ways.some(({ from, to }) => from === link.from && to === link.to))
        found.push({ link, direction: "forward" });
      if (ways.some(({ from, to }) => from === link.to && to === link.from))
        found.push({ link, direction: "backward" });
      return found;
    });
  }

  #silence(link: Link, direction: LinkDirection, change: 1 | -1): void {
    link.silences[direction] += change;
    const isSilent = link.silences[direction] > 0;
    this.#listenOrNot(link);
    if (isSilent) link.proxy.stall([direction]);
    else link.proxy.resume([direction]);
  }

  /** A refusal is an answer, too: there is none on a way that is silent. */
  #listenOrNot(link: Link): void {
    const isSilent = link.silences.forward > 0 || link.silences.backward > 0;
    const shouldListen = link.isTargetUp || isSilent;
    if (shouldListen === link.isListening) return;
    link.isListening = shouldListen;
    if (!shouldListen) link.proxy.refuse();
    else this.#listening = Promise.all([this.#listening, link.proxy.listen()]);
  }
}

function countsOf(proxies: readonly LinkProxy[]): {
  readonly unanswered: number;
  readonly heldEnds: number;
  readonly leakedEnds: number;
} {
  return {
    unanswered: sum(proxies, ({ unansweredCount }) => unansweredCount),
    heldEnds: sum(proxies, ({ ends }) => ends.held),
    leakedEnds: sum(proxies, ({ ends }) => ends.leaked),
  };
}

function sum<T>(all: readonly T[], numberOf: (one: T) => number): number {
  return all.reduce((total, one) => total + numberOf(one), 0);
}
