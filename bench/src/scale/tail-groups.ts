/**
 * Consumer groups of one member each, that all read one small topic and are at its end: while they
 * are awake each of them is waiting for its next message, which comes once a second, and commits
 * how far it is; else they are members, and no more.
 */

import { Producer } from "@quorumlog/client";
import type { GroupsConfig, GroupsUsage, GroupsWish } from "../broker/groups-process.ts";
import { ForkedNode } from "../forked-node.ts";
import { liveServers } from "../peers/leftovers.ts";

export const TAIL_TOPIC = "tail";

const INTERVAL_MS = 1_000;
const CATCH_UP_MS = 30_000;
const LOOK_MS = 50;
/** Members that are paused are busy for a while, which is not to be where others are measured. */
const SETTLE_MS = 3_000;
const BODY = Buffer.alloc(100);
const FILE = new URL("../broker/groups-process.js", import.meta.url);

export class TailGroups {
  readonly #count: number;
  readonly #members: ForkedNode<GroupsWish, GroupsUsage>;
  readonly #producer: Producer;
  readonly #sends = new Set<Promise<void>>();
  #sent = 0;
  #failure: unknown;
  #timer: NodeJS.Timeout | undefined;
  #isAwake = false;

  private constructor(
    count: number,
    members: ForkedNode<GroupsWish, GroupsUsage>,
    producer: Producer,
  ) {
    this.#count = count;
    this.#members = members;
    this.#producer = producer;
  }

  /** @returns when all have consumed and committed something, and sleep. */
  static async start(nameServer: string, count: number): Promise<TailGroups> {
    const groups = Array.from({ length: count }, () => [TAIL_TOPIC]);
    const config: GroupsConfig = { nameServer, groups };
    const members = new ForkedNode<GroupsWish, GroupsUsage>(FILE, config);
    liveServers.add(members.pid);
    await members.nextAnswer();
    const nameServers = [nameServer];
    const producer = await Producer.open({ nameServers, producerGroup: "tail" });
    const started = new TailGroups(count, members, producer);
    await started.wake();
    await started.sleep();
    return started;
  }

  /** A message comes at once, and one each second. */
  async wake(): Promise<void> {
    this.#isAwake = true;
    await this.#members.ask({ isPaused: false });
    this.#send();
    this.#timer = setInterval(() => {
      this.#send();
    }, INTERVAL_MS);
  }

  /** @throws if not each group has had each message. */
  async sleep(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#sends);
    if (this.#failure !== undefined) throw this.#failure;
    const wanted = this.#sent * this.#count;
    const deadline = performance.now() + CATCH_UP_MS;
    let { consumed } = await this.#members.ask({ isPaused: false });
    while (consumed < wanted && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      ({ consumed } = await this.#members.ask({ isPaused: false }));
    }
    if (consumed !== wanted) throw new Error(`groups have had ${consumed} of ${wanted} messages`);
    await this.#members.ask({ isPaused: true });
    this.#isAwake = false;
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  }

  /** Of all of them, so far. */
  async cpuMicros(): Promise<number> {
    return (await this.#members.ask({ isPaused: !this.#isAwake })).cpuMicros;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#members.signal("SIGKILL");
    liveServers.delete(this.#members.pid);
    await this.#producer.close();
  }

  #send(): void {
    this.#sent += 1;
    const send = this.#producer.send(TAIL_TOPIC, { body: BODY }).then(
      () => {
        this.#sends.delete(send);
      },
      (error: unknown) => {
        this.#failure ??= error;
      },
    );
    this.#sends.add(send);
  }
}
