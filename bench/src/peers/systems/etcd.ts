/** etcd: one key for each message, in the order of their names. */

import { join } from "node:path";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { freePorts } from "../../free-ports.ts";
import { programFile, versionOf } from "../installed-program.ts";
import {
  NODE_COUNT,
  type PeerClient,
  type PeerCluster,
  type PeerSystem,
  type Reader,
  SEND_DEADLINE_MS,
  SERVER_DEADLINE_MS,
} from "../peer-system.ts";
import { pause } from "../publisher.ts";
import { type ServerGroup, startCluster } from "../server-group.ts";
import {
  decodeRange,
  decodeRevision,
  decodeStatus,
  decodeWatch,
  encodeCompaction,
  encodeDelete,
  encodePut,
  encodeRange,
  encodeWatch,
  type StatusAnswer,
} from "./etcd-codec.ts";

/** The most that etcd's documentation suggests. */
const QUOTA_BYTES = 8 * 1024 ** 3;
const PAGE_MESSAGES = 2_000;
/** A restarted node is back when it lacks fewer entries than that. */
const LAG_MAX = 200;
const STATUS_MS = 2_000;
/** "Too many requests": a server has 5,000 proposals that are not applied. */
const OVERLOAD_PAUSE_MS = 5;

export const ETCD: PeerSystem = {
  name: "etcd",
  programs: ["etcd"],
  install: "apt-get install etcd-server",
  start: (directory) => EtcdCluster.start(directory),
  connect: (addresses) => Promise.resolve(new EtcdClient(addresses)),
};

class EtcdCluster implements PeerCluster {
  readonly version: string = versionOf(programFile("etcd"), ["--version"]);
  readonly durability = "fsync on a majority";
  readonly #servers: ServerGroup;
  readonly #links: readonly EtcdLink[];

  private constructor(servers: ServerGroup, addresses: readonly string[]) {
    this.#servers = servers;
    this.#links = addresses.map((address) => new EtcdLink(address));
  }

  static async start(directory: string): Promise<EtcdCluster> {
    const ports = await freePorts(2 * NODE_COUNT);
    const ats = Array.from({ length: NODE_COUNT }, (_, at) => at);
    const peers = ats.map((at) => `http://127.0.0.1:${ports[NODE_COUNT + at]}`);
    const commands = ats.map((at) => {
      const client = `http://127.0.0.1:${ports[at]}`;
      const peer = peers[at] ?? "";
      const flags = {
        name: `node-${at}`,
        "data-dir": join(directory, `${at}`),
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": peers.map((url, i) => `node-${i}=${url}`).join(","),
        "initial-cluster-state": "new",
        "quota-backend-bytes": `${QUOTA_BYTES}`,
        "log-level": "warn",
      };
      return {
        program: programFile("etcd"),
        words: Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
        directory,
        logFile: join(directory, `${at}.log`),
      };
    });
    const addresses = ats.map((at) => `127.0.0.1:${ports[at]}`);
    return startCluster(
      commands,
      (servers) => new EtcdCluster(servers, addresses),
      (cluster) => cluster.#allServe(),
    );
  }

  pids(): readonly number[] {
    return this.#servers.pids;
  }

  /** A topic is the beginning of keys: there is nothing to make. */
  createTopic(): Promise<void> {
    return Promise.resolve();
  }

  async deleteTopic(topic: string): Promise<void> {
    const link = this.#link(await this.#leader());
    const deleted = await link.call("KV/DeleteRange", encodeDelete(rangeOf(topic)));
    await link.call("KV/Compact", encodeCompaction(decodeRevision(deleted)));
  }

  async addresses(): Promise<readonly string[]> {
    const leader = await this.#leader();
    const addresses = this.#links.map(({ address }) => address);
    return [...addresses.slice(leader), ...addresses.slice(0, leader)];
  }

  async killLeader(): Promise<void> {
    await this.#servers.kill(await this.#leader());
  }

  async restart(): Promise<void> {
    this.#servers.restart();
    await this.#allServe();
  }

  async stop(): Promise<void> {
    for (const link of this.#links) link.close();
    await this.#servers.stop();
  }

  async #leader(): Promise<number> {
    const server = this.#servers.server(this.#servers.running[0] ?? 0);
    return server.until("knows the leader", SERVER_DEADLINE_MS, async () => {
      for (const at of this.#servers.running) {
        const { memberId, leaderId } = await this.#statusOf(at);
        if (memberId === leaderId) return at;
      }
      return undefined;
    });
  }

  /** Returns when all have a leader, and have what it has. */
  async #allServe(): Promise<void> {
    for (const at of this.#links.keys())
      await this.#servers.server(at).until("serves", SERVER_DEADLINE_MS, async () => {
        const statuses = await Promise.all(this.#links.map((_, each) => this.#statusOf(each)));
        const { leaderId, appliedIndex } = statuses[at] ?? {};
        const leader = statuses.find(({ memberId }) => memberId === leaderId);
        if (leader === undefined || appliedIndex === undefined) return undefined;
        return appliedIndex + LAG_MAX >= leader.appliedIndex ? true : undefined;
      });
  }

  async #statusOf(at: number): Promise<StatusAnswer> {
    const answer = await this.#link(at).call("Maintenance/Status", Buffer.alloc(0), STATUS_MS);
    return decodeStatus(answer);
  }

  #link(at: number): EtcdLink {
    const link = this.#links[at];
    if (link === undefined) throw new RangeError(`there is no node ${at}`);
    return link;
  }
}

class EtcdClient implements PeerClient {
  readonly #links: readonly EtcdLink[];
  #current = 0;
  #serial = 0;

  constructor(addresses: readonly string[]) {
    this.#links = addresses.map((address) => new EtcdLink(address));
  }

  async send(topic: string, body: Buffer): Promise<void> {
    const key = keyOf(topic, this.#serial++);
    const request = encodePut({ key, value: body });
    const deadline = performance.now() + SEND_DEADLINE_MS;
    for (;;) {
      const link = this.#link();
      try {
        await link.call("KV/Put", request);
        return;
      } catch (error) {
        const { code } = error as Partial<ServiceError>;
        if (code === status.UNAVAILABLE && link === this.#link()) this.#current += 1;
        // A server that is overloaded has not taken it; after any other failure it may have.
        if (code !== status.RESOURCE_EXHAUSTED || performance.now() > deadline) throw error;
        await pause(OVERLOAD_PAUSE_MS);
      }
    }
  }

  /** Pages of what there is at one revision, and then a watch from the next one. */
  async read(topic: string, onBody: (body: Uint8Array) => void): Promise<Reader> {
    const ending = new AbortController();
    const { signal } = ending;
    const { key: start, end } = rangeOf(topic);
    const reads = async (): Promise<void> => {
      let key = start;
      let revision = 0;
      for (let hasMore = true; hasMore && !signal.aborted;) {
        const request = encodeRange({ key, end, limit: PAGE_MESSAGES, revision });
        const page = decodeRange(await this.#link().call("KV/Range", request));
        for (const { value } of page.entries) onBody(value);
        ({ hasMore } = page);
        if (revision === 0) ({ revision } = page);
        const last = page.entries.at(-1)?.key ?? key;
        // The smallest key behind it.
        key = Buffer.concat([last, Buffer.alloc(1)]);
      }
      if (signal.aborted) return;
      const watch = encodeWatch({ key: start, end, revision: revision + 1 });
      this.#link().watch(watch, signal, (bytes) => {
        for (const { value } of decodeWatch(bytes)) onBody(value);
      });
    };
    const reading = reads();
    const stop = (): Promise<void> => {
      ending.abort();
      return reading;
    };
    return Promise.resolve({ stop });
  }

  close(): Promise<void> {
    for (const link of this.#links) link.close();
    return Promise.resolve();
  }

  #link(): EtcdLink {
    return this.#links[this.#current % this.#links.length] as EtcdLink;
  }
}

/** A connection to one node. */
class EtcdLink {
  readonly address: string;
  readonly #client: Client;

  constructor(address: string) {
    this.address = address;
    this.#client = new Client(address, credentials.createInsecure(), {
      "grpc.max_receive_message_length": -1,
      // Of their own: clients of one process share connections otherwise.
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  call(method: string, request: Buffer, timeoutMs = SEND_DEADLINE_MS): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        `/etcdserverpb.${method}`,
        same,
        same,
        request,
        new Metadata(),
        { deadline: Date.now() + timeoutMs },
        (error, answer) => {
          if (error === null && answer !== undefined) resolve(answer);
          else reject(error ?? new Error(`${method} answered nothing`));
        },
      );
    });
  }

  /** Until the signal aborts. */
  watch(request: Buffer, signal: AbortSignal, onAnswer: (answer: Buffer) => void): void {
    const call = this.#client.makeBidiStreamRequest("/etcdserverpb.Watch/Watch", same, same);
    call.on("data", onAnswer);
    call.on("error", (error) => {
      // What is not read then is missed by whoever counts.
      if (!signal.aborted) console.error(`a watch ended: ${error.message}`);
    });
    signal.addEventListener("abort", () => {
      call.cancel();
    });
    call.write(request);
  }

  close(): void {
    this.#client.close();
  }
}

/** Keys of a topic: as many digits in each, so that their order is that of their numbers. */
function keyOf(topic: string, serial: number): Buffer {
  return Buffer.from(`${topic}/${String(serial).padStart(12, "0")}`);
}

/** "0" is the character behind "/". */
function rangeOf(topic: string): { readonly key: Buffer; readonly end: Buffer } {
  return { key: Buffer.from(`${topic}/`), end: Buffer.from(`${topic}0`) };
}

function same(bytes: Buffer): Buffer {
  return bytes;
}
