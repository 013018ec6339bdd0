/**
 * Each place is a network namespace, joined to a router by a pair of interfaces: who talks to whom
 * are packets of the kernel's own TCP, and what is done to them are facts of the kernel.
 *
 *     node 1, 198.18.1.2 ── 198.18.1.1, router, 198.18.2.1 ── 198.18.2.2, node 2
 *
 * All is done in the router, on its interface towards where a way goes: see `traffic-control.ts`.
 * The router is a namespace, too, and is joined to nothing else: the machine's own interfaces,
 * routes and addresses are never touched, and clusters beside each other have the same addresses.
 */

import { EndingOnce } from "./ending-once.ts";
import type { Disturbance, LinkLacks, LinkPlan, Links, Slowness } from "./links.ts";
import { NetworkNamespace } from "./network-namespace.ts";
import type { Seen } from "./seen.ts";
import {
  countCommands,
  countsIn,
  deviceCommands,
  type Lane,
  LANE_NUMBER_MAX,
  type LaneCounts,
  laneCommands,
  OPEN_WAY,
  reshapeCommands,
  type WayShape,
} from "./traffic-control.ts";
import type { Place, Way } from "./way.ts";

interface Site {
  readonly place: Place;
  /** Of the router. */
  readonly device: string;
  readonly host: string;
  readonly gateway: string;
  readonly namespace: NetworkNamespace;
}

interface WayState extends Way {
  readonly lane: Lane;
  shape: WayShape;
  /** How many want it to be silent. */
  silences: number;
}

/** What is to become of a way. */
type Change = (state: WayState) => Partial<WayShape>;

/** Has the namespace that it is run in pass on what is not for itself. */
export const FORWARDING_COMMAND: readonly string[] = [
  "sh",
  "-c",
  "echo 1 > /proc/sys/net/ipv4/ip_forward",
];

export class NamespaceLinks implements Links {
  readonly lacks: LinkLacks;
  readonly #plans: readonly LinkPlan[];
  readonly #router: NetworkNamespace;
  readonly #sites: ReadonlyMap<Place, Site>;
  readonly #ways: readonly WayState[];
  /** Changes come one after the other: each is made of what the one before has left. */
  #changing: Promise<unknown> = Promise.resolve();

  private constructor(
    plans: readonly LinkPlan[],
    lacks: LinkLacks,
    router: NetworkNamespace,
    sites: readonly Site[],
  ) {
    this.#plans = plans;
    this.lacks = lacks;
    this.#router = router;
    this.#sites = new Map(sites.map((site) => [site.place, site]));
    const pairs = sites.flatMap((from) =>
      sites.filter((to) => isJoined(plans, from.place, to.place)).map((to) => ({ from, to })),
    );
    if (pairs.length > LANE_NUMBER_MAX) throw new RangeError(`${pairs.length} ways are too many`);
    this.#ways = pairs.map(({ from, to }, i) => {
      const lane = { device: to.device, number: i + 1, source: from.host };
      return { from: from.place, to: to.place, lane, shape: OPEN_WAY, silences: 0 };
    });
  }

  /**
   * @param lacks - What the kernel cannot do, as it was found out.
   * @throws CommandError
   */
  static async open(plans: readonly LinkPlan[], lacks: LinkLacks): Promise<NamespaceLinks> {
    const places = [...new Set(plans.flatMap(({ from, to }) => [from, to]))];
    const opened = await Promise.allSettled([0, ...places].map(() => NetworkNamespace.open()));
    const namespaces = opened.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    try {
      for (const each of opened) if (each.status === "rejected") throw each.reason;
      const [router, ...others] = namespaces;
      if (router === undefined) throw new Error("the first one is the router");
      const sites = others.map((namespace, i) => siteOf(places[i] ?? i, i + 1, namespace));
      const links = new NamespaceLinks(plans, lacks, router, sites);
      await links.#join();
      return links;
    } catch (error) {
      for (const namespace of namespaces) namespace.close();
      throw error;
    }
  }

  hostOf(place: Place): string {
    return this.#site(place).host;
  }

  address(from: Place, to: Place): string {
    const plan = this.#plans.find((known) => known.from === from && known.to === to);
    if (plan === undefined) throw new RangeError(`there is no link from ${from} to ${to}`);
    return `${this.hostOf(to)}:${plan.port}`;
  }

  commandAt(place: Place): readonly string[] {
    return this.#site(place).namespace.command;
  }

  /** Where nobody listens, the kernel says so by itself. */
  setUp(): void {}

  silence(ways: readonly Way[]): Promise<Disturbance> {
    return this.#disturb(ways, {
      begin: (state) => {
        state.silences += 1;
        return { isSilent: true };
      },
      end: (state) => {
        state.silences -= 1;
        return { isSilent: state.silences > 0 };
      },
      seenOf: ({ droppedPackets, droppedEnds, sentPackets: crossedPackets }) => {
        const crossed = `${crossedPackets} packets crossed a way that was silent`;
        return {
          counts: { droppedPackets, droppedEnds, crossedPackets },
          hasBitten: droppedPackets > 0,
          breach: crossedPackets > 0 ? crossed : "",
        };
      },
    });
  }

  slow(ways: readonly Way[], { bytesPerSecond, delayMs }: Slowness): Promise<Disturbance> {
    return this.#disturb(ways, {
      begin: () => ({ bytesPerSecond, delayMs }),
      end: () => ({ bytesPerSecond: OPEN_WAY.bytesPerSecond, delayMs: 0 }),
      seenOf: ({ sentBytes: slowBytes, droppedPackets }) => {
        const counts = { slowBytes, droppedPackets };
        return { counts, hasBitten: slowBytes > 0, breach: "" };
      },
    });
  }

  lose(ways: readonly Way[], share: number): Promise<Disturbance> {
    if (this.lacks.loss !== undefined)
      return Promise.reject(new RangeError(`no packet can be lost without ${this.lacks.loss}`));
    return this.#disturb(ways, {
      begin: () => ({ lossShare: share }),
      end: () => ({ lossShare: 0 }),
      seenOf: ({ lostPackets, sentPackets: passedPackets }) => {
        return { counts: { lostPackets, passedPackets }, hasBitten: lostPackets > 0, breach: "" };
      },
    });
  }

  async close(): Promise<void> {
    await this.#changing.catch(() => undefined);
    for (const { namespace } of this.#sites.values()) namespace.close();
    this.#router.close();
  }

  /** Interfaces first, then routes: a route is there as long as its interface is up. */
  async #join(): Promise<void> {
    const sites = [...this.#sites.values()];
    await this.#router.run(FORWARDING_COMMAND);
    await this.#router.run(
      ["ip", "-batch", "-"],
      sites.flatMap(({ device, gateway, namespace: { path } }) => [
        `link add ${device} type veth peer name eth0 netns ${path}`,
        `addr add ${gateway}/24 dev ${device}`,
        `link set ${device} up`,
      ]),
    );
    await Promise.all(
      sites.map(({ host, gateway, namespace }) =>
        namespace.run(
          ["ip", "-batch", "-"],
          [
            "link set lo up",
            `addr add ${host}/24 dev eth0`,
            "link set eth0 up",
            `route add default via ${gateway}`,
          ],
        ),
      ),
    );
    await this.#control([
      ...sites.flatMap(({ device }) => deviceCommands(device)),
      ...this.#ways.flatMap(({ lane }) => laneCommands(lane)),
    ]);
  }

  async #disturb(
    ways: readonly Way[],
    words: {
      readonly begin: Change;
      readonly end: Change;
      readonly seenOf: (counts: LaneCounts) => Seen;
    },
  ): Promise<Disturbance> {
    const states = this.#ways.filter((known) =>
      ways.some(({ from, to }) => from === known.from && to === known.to),
    );
    const seenOf = (before: readonly LaneCounts[], now: readonly LaneCounts[]): Seen =>
      words.seenOf(difference(before, now));
    // What passes while one command follows another is of neither.
    const before = await this.#inTurn(async () => {
      await this.#control(changed(states, words.begin));
      return this.#count(states);
    });
    const look = async (): Promise<Seen> =>
      seenOf(before, await this.#inTurn(() => this.#count(states)));
    const finish = (): Promise<Seen> =>
      this.#inTurn(async () => {
        const now = await this.#count(states);
        await this.#control(changed(states, words.end));
        return seenOf(before, now);
      });
    return new EndingOnce(look, finish);
  }

  async #count(states: readonly WayState[]): Promise<LaneCounts[]> {
    const lanes = states.map(({ lane }) => lane);
    const output = await this.#control(countCommands(lanes));
    return lanes.map((lane) => countsIn(output, lane));
  }

  /** @returns what was printed. */
  #control(commands: readonly string[]): Promise<string> {
    return commands.length === 0
      ? Promise.resolve("")
      : this.#router.run(["tc", "-s", "-batch", "-"], commands);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#changing.then(work, work);
    this.#changing = done;
    return done;
  }

  #site(place: Place): Site {
    const site = this.#sites.get(place);
    if (site === undefined) throw new RangeError(`there is no place ${place}`);
    return site;
  }
}

/** The range is for tests of networks, RFC 2544: nothing on a machine has such an address. */
function siteOf(place: Place, number: number, namespace: NetworkNamespace): Site {
  const device = typeof place === "number" ? `node${place}` : place.toLowerCase().replace(" ", "");
  const gateway = `198.18.${number}.1`;
  return { place, device, host: `198.18.${number}.2`, gateway, namespace };
}

function isJoined(plans: readonly LinkPlan[], some: Place, other: Place): boolean {
  return plans.some(
    ({ from, to }) => (from === some && to === other) || (from === other && to === some),
  );
}

function changed(states: readonly WayState[], change: Change): string[] {
  return states.flatMap((state) => {
    const before = state.shape;
    state.shape = { ...before, ...change(state) };
    return reshapeCommands(state.lane, before, state.shape);
  });
}

function difference(before: readonly LaneCounts[], now: readonly LaneCounts[]): LaneCounts {
  const sum = (name: keyof LaneCounts): number =>
    now.reduce((total, counts, i) => total + counts[name] - (before[i]?.[name] ?? 0), 0);
  return {
    sentPackets: sum("sentPackets"),
    sentBytes: sum("sentBytes"),
    droppedPackets: sum("droppedPackets"),
    droppedEnds: sum("droppedEnds"),
    lostPackets: sum("lostPackets"),
  };
}
