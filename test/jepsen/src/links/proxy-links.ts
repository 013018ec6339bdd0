/**
 * Each way goes through a proxy of this process, where bytes can be kept.
 *
 *     node 1 ──dials──> proxy ──> node 2      the way 1 -> 2 is this one's forward direction,
 *     node 1 <── proxy <──dials── node 2      and this one's backward direction
 *
 * A way that is silent passes nothing on: no byte, no FIN, no RST. Whoever dials is accepted, and
 * gets no answer. What was kept passes when the last one who wanted silence has let go of it.
 */

import {
  freePort,
  openLinkProxy,
  type LinkDirection,
  type LinkProxy,
} from "@quorumlog/transport/testing";
import { EndingOnce } from "./ending-once.ts";
import type { Disturbance, LinkLacks, LinkPlan, Links, Slowness } from "./links.ts";
import type { Seen } from "./seen.ts";
import type { Place, Way } from "./way.ts";

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

const HOST = "127.0.0.1";

/** What no proxy can do: TCP behind it has acknowledged what comes. */
export const PROXY_LACKS: LinkLacks = { loss: "packets that can be lost: --net netns" };

export function openProxyLinks(plans: readonly LinkPlan[]): Promise<ProxyLinks> {
  return ProxyLinks.open(plans);
}

class ProxyLinks implements Links {
  readonly lacks: LinkLacks = PROXY_LACKS;
  readonly #links: readonly Link[];
  #listening: Promise<unknown> = Promise.resolve();

  private constructor(links: readonly Link[]) {
    this.#links = links;
  }

  static async open(plans: readonly LinkPlan[]): Promise<ProxyLinks> {
    const links = plans.map(async ({ from, to, port }): Promise<Link> => {
      const proxy = await openLinkProxy({ host: HOST, port }, await freePort());
      const silences = { forward: 0, backward: 0 };
      return { from, to, proxy, silences, isTargetUp: true, isListening: true };
    });
    return new ProxyLinks(await Promise.all(links));
  }

  hostOf(): string {
    return HOST;
  }

  address(from: Place, to: Place): string {
    const link = this.#links.find((known) => known.from === from && known.to === to);
    if (link === undefined) throw new RangeError(`there is no link from ${from} to ${to}`);
    return link.proxy.address;
  }

  commandAt(): readonly string[] {
    return [];
  }

  /** Where nobody is, nobody listens, unless nobody may know that. */
  setUp(place: Place, isUp: boolean): void {
    for (const link of this.#links)
      if (link.to === place) {
        link.isTargetUp = isUp;
        this.#listenOrNot(link);
      }
  }

  silence(ways: readonly Way[]): Promise<Disturbance> {
    const silenced = this.#waysOf(ways);
    const proxies = [...new Set(silenced.map(({ link }) => link.proxy))];
    // Those that go silent as it begins.
    const connections = sum(proxies, (proxy) => proxy.openConnectionCount);
    const before = countsOf(proxies);
    for (const { link, direction } of silenced) this.#silence(link, direction, 1);
    const look = (): Seen => {
      const now = countsOf(proxies);
      const counts = {
        connections,
        unanswered: now.unanswered - before.unanswered,
        heldBytes: sum(proxies, (proxy) => proxy.heldBytes),
        heldEnds: now.heldEnds - before.heldEnds,
        leakedEnds: now.leakedEnds - before.leakedEnds,
      };
      const hasBitten = counts.connections + counts.unanswered > 0 && counts.heldBytes > 0;
      const ends = `${counts.leakedEnds} ends of connections crossed a way that was silent`;
      return { counts, hasBitten, breach: counts.leakedEnds > 0 ? ends : "" };
    };
    return disturbance(look, () => {
      for (const { link, direction } of silenced) this.#silence(link, direction, -1);
    });
  }

  /** Both directions of each link. */
  slow(ways: readonly Way[], { bytesPerSecond, delayMs }: Slowness): Promise<Disturbance> {
    const links = [...new Set(this.#waysOf(ways).map(({ link }) => link))];
    const passed = (): number =>
      sum(links, ({ proxy }) => proxy.bytes.forward + proxy.bytes.backward);
    const before = passed();
    for (const { proxy } of links) proxy.slow(bytesPerSecond, delayMs);
    const look = (): Seen => {
      const slowBytes = passed() - before;
      return { counts: { slowBytes }, hasBitten: slowBytes > 0, breach: "" };
    };
    return disturbance(look, () => {
      for (const { proxy } of links) proxy.slow(Number.POSITIVE_INFINITY, 0);
    });
  }

  lose(): Promise<Disturbance> {
    return Promise.reject(new RangeError("a proxy loses nothing"));
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

function disturbance(look: () => Seen, end: () => void): Promise<Disturbance> {
  const finish = (): Promise<Seen> => {
    const seen = look();
    end();
    return Promise.resolve(seen);
  };
  return Promise.resolve(new EndingOnce(() => Promise.resolve(look()), finish));
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
