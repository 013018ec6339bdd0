/** One case: its cluster, its load, and its consumer groups, which stay while it is measured. */

import { OperationError } from "@quorumlog/client";
import { BrokerServers } from "../broker/broker-servers.ts";
import { ForkedNode } from "../forked-node.ts";
import { liveServers } from "../peers/leftovers.ts";
import type { Setup } from "./dimension.ts";
import type { LoadAnswer, LoadConfig, LoadFigures, LoadRequest } from "./load-process.ts";
import type { CaseWindow, Restart } from "./scale-figures.ts";
import type { AuditFigures } from "./stored-audit.ts";
import { TAIL_TOPIC, TailGroups } from "./tail-groups.ts";

/** Code that has just begun to run is slow: a case is measured as it is after some work. */
export const WARMUP_MS = 3_000;

const LOAD_FILE = new URL("./load-process.js", import.meta.url);
/** Topics that are made at a time. */
const CREATIONS = 16;
const CREATE_MS = 30_000;
const RETRY_MS = 100;
/** Of a fill: between words of how far it is. */
const FILL_STEP = 1_000_000;
const RESTART_MS = 60_000;
const KB_PER_MB = 1_024;

export class MeasuredCase {
  readonly #setup: Setup;
  readonly #servers: BrokerServers;
  readonly #load: ForkedNode<LoadRequest, LoadAnswer>;
  #groups: TailGroups | undefined;
  #filled = 0;

  private constructor(init: {
    readonly setup: Setup;
    readonly servers: BrokerServers;
    readonly load: ForkedNode<LoadRequest, LoadAnswer>;
    readonly groups: TailGroups | undefined;
  }) {
    this.#setup = init.setup;
    this.#servers = init.servers;
    this.#load = init.load;
    this.#groups = init.groups;
  }

  /** @returns when it is warm; nothing is filled yet. */
  static async start(folder: string, setup: Setup): Promise<MeasuredCase> {
    const { nodeCount, groupCount, topicCount, consumerGroups } = setup;
    const servers = await BrokerServers.start(folder, { nodeCount, groupCount, keepsAll: true });
    const topics = Array.from({ length: topicCount }, (_, i) => `scale-${i}`);
    await createAll(servers, topics, setup);
    const { nameServerAddress: nameServer } = servers;
    let groups: TailGroups | undefined;
    if (consumerGroups > 0) {
      await servers.admin.createTopic({ name: TAIL_TOPIC });
      groups = await TailGroups.start(nameServer, consumerGroups);
    }
    const { queueCount, messageBytes, inFlight, isInTurn } = setup;
    const shape = { topics, queueCount, messageBytes, inFlight, isInTurn };
    const config: LoadConfig = { nameServer, ...shape };
    const load = new ForkedNode<LoadRequest, LoadAnswer>(LOAD_FILE, config);
    liveServers.add(load.pid);
    await load.nextAnswer();
    const started = new MeasuredCase({ setup, servers, load, groups });
    await started.#published({ type: "publish", ms: WARMUP_MS });
    return started;
  }

  /** @returns messages per second, million by million. */
  async fillTo(stored: number, onProgress: (filled: number) => void): Promise<number[]> {
    const rates: number[] = [];
    while (this.#filled < stored) {
      const messages = Math.min(FILL_STEP, stored - this.#filled);
      const figures = await this.#published({ type: "fill", messages });
      this.#filled += figures.messages;
      rates.push(figures.messages / figures.seconds);
      onProgress(this.#filled);
    }
    return rates;
  }

  /** @param other - Whose cluster is there, too, and has nothing to do. */
  async window(ms: number, other: MeasuredCase): Promise<CaseWindow> {
    await this.#groups?.wake();
    const [before, idleBefore] = [await this.#cpuMicros(), await other.#cpuMicros()];
    const figures = await this.#published({ type: "publish", ms });
    const [after, idleAfter] = [await this.#cpuMicros(), await other.#cpuMicros()];
    await this.#groups?.sleep();
    const { messages, seconds, p50Ms, p99Ms } = figures;
    return {
      perSecond: messages / seconds,
      p50Ms,
      p99Ms,
      clientMicros: figures.cpuMicros / messages,
      brokerMicros: (after.brokers - before.brokers) / messages,
      groupsMicros: (after.groups - before.groups) / messages,
      idleShare:
        (idleAfter.brokers + idleAfter.groups - idleBefore.brokers - idleBefore.groups) /
        (seconds * 1e6),
    };
  }

  /** Of each broker, leaders first. */
  async anonymousMb(): Promise<number[]> {
    return (await this.#servers.usage()).map(({ anonymousKb }) => anonymousKb / KB_PER_MB);
  }

  /** After kill -9 of all brokers; consumer groups end before. */
  async restart(): Promise<Restart> {
    await this.#groups?.stop();
    this.#groups = undefined;
    const startedAt = performance.now();
    const opened = this.#servers.restartAll().then(() => performance.now() - startedAt);
    // One message, which is sent until a leader has it.
    const { messages } = await this.#published({ type: "publish", ms: RESTART_MS, messages: 1 });
    const publishMs = performance.now() - startedAt;
    if (messages === 0) throw new Error("nothing was published after the restart");
    return { openSeconds: (await opened) / 1_000, publishSeconds: publishMs / 1_000 };
  }

  /** @param isWhole - Everything is read back; else a sample. */
  async audit(isWhole: boolean): Promise<AuditFigures> {
    const answer = await this.#load.ask({ type: "audit", isWhole });
    if (answer.type !== "audited") throw new Error(`the load answered ${answer.type}`);
    return answer;
  }

  async stop(): Promise<void> {
    this.#load.signal("SIGKILL");
    liveServers.delete(this.#load.pid);
    await this.#groups?.stop();
    await this.#servers.stop();
  }

  async #cpuMicros(): Promise<{ readonly brokers: number; readonly groups: number }> {
    const usages = await this.#servers.usage();
    const brokers = usages.reduce((sum, { cpuMicros }) => sum + cpuMicros, 0);
    return { brokers, groups: (await this.#groups?.cpuMicros()) ?? 0 };
  }

  /** @throws if anything was not acknowledged: then nobody knows what has to be there. */
  async #published(request: LoadRequest): Promise<LoadFigures> {
    const answer = await this.#load.ask(request);
    if (answer.type !== "published") throw new Error(`the load answered ${answer.type}`);
    const { failed } = answer;
    if (failed > 0)
      throw new Error(`${failed} messages were not acknowledged: ${named(this.#setup)}`);
    return answer;
  }
}

function named(setup: Setup): string {
  return JSON.stringify(setup);
}

async function createAll(
  { admin }: BrokerServers,
  topics: readonly string[],
  { queueCount, groupCount }: Setup,
): Promise<void> {
  const groupIds = Array.from({ length: groupCount }, (_, i) => i + 1);
  const deadline = performance.now() + CREATE_MS;
  const create = async (name: string): Promise<void> => {
    for (;;)
      try {
        await admin.createTopic({ name, queueCount, groupIds, isIdempotent: true });
        return;
      } catch (error) {
        // A group that has just begun is not taken in yet.
        const isToWait = error instanceof OperationError && performance.now() < deadline;
        if (!isToWait) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
  };
  const left = topics.values();
  const work = async (): Promise<void> => {
    for (const name of left) await create(name);
  };
  await Promise.all(Array.from({ length: CREATIONS }, work));
}
