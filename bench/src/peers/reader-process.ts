/** The one consumer of a topic of any system, as a process: `node reader-process.js JSON`. */

import { monotonicMs } from "./peer-body.ts";
import type { PeerClient, Reader } from "./peer-system.ts";
import { systemNamed } from "./peer-systems.ts";
import { pause, shareOf } from "./publisher.ts";
import type { BeginTopic, PeerClientConfig } from "./publisher-process.ts";
import { type AuditFigures, type Published, ReadAudit } from "./read-audit.ts";

export type ReaderRequest =
  | BeginTopic
  /** Reads from the first message on. */
  | { readonly type: "follow" }
  /** Returns when everything that was acknowledged was read, or nothing comes any more. */
  | {
      readonly type: "finish";
      readonly published: Published;
      /** Latencies are those of messages that were due from then on. */
      readonly measuredFrom: number;
    };

export interface ReaderFigures extends AuditFigures {
  /** From the moment when it is connected, or has a message, to the last one. */
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface ReaderAnswer {
  readonly figures?: ReaderFigures;
}

const LOOK_MS = 5;
/** An array holds 134 million numbers; no workload that is about times comes to so many. */
const LATENCIES_MAX = 16_000_000;
const STALLED_MS = 20_000;

const { system } = JSON.parse(process.argv[2] ?? "{}") as PeerClientConfig;

class Following {
  readonly #audit: ReadAudit;
  readonly #dueAts: number[] = [];
  readonly #latencies: number[] = [];
  /** When it is connected, or has a message. */
  #startedAt = Number.NaN;
  #lastAt = Number.NaN;
  #reader: Reader | undefined;

  constructor(bodyBytes: number) {
    this.#audit = new ReadAudit(bodyBytes);
  }

  async start(client: PeerClient, topic: string): Promise<void> {
    this.#reader = await client.read(topic, (body) => {
      const dueAt = this.#audit.read(body);
      this.#lastAt = monotonicMs();
      if (Number.isNaN(this.#startedAt)) this.#startedAt = this.#lastAt;
      if (dueAt === undefined || this.#latencies.length >= LATENCIES_MAX) return;
      this.#dueAts.push(dueAt);
      this.#latencies.push(this.#lastAt - dueAt);
    });
    if (Number.isNaN(this.#startedAt)) this.#startedAt = monotonicMs();
  }

  async finish(published: Published, measuredFrom: number): Promise<ReaderFigures> {
    const expected = published.count - published.unknown.length;
    let before = -1;
    let movedAt = monotonicMs();
    for (;;) {
      const { distinct } = this.#audit;
      if (distinct >= expected && this.#audit.lost(published) === 0) break;
      if (distinct !== before) movedAt = monotonicMs();
      before = distinct;
      if (monotonicMs() - movedAt > STALLED_MS) break;
      await pause(LOOK_MS);
    }
    await this.#reader?.stop();
    const measured = this.#latencies.filter((_, at) => (this.#dueAts[at] ?? 0) >= measuredFrom);
    const sorted = Float64Array.from(measured).sort();
    return {
      ...this.#audit.figures(published),
      seconds: (this.#lastAt - this.#startedAt) / 1_000,
      p50Ms: shareOf(sorted, 0.5),
      p99Ms: shareOf(sorted, 0.99),
    };
  }
}

let client: PeerClient | undefined;
let begun: BeginTopic | undefined;
let following: Following | undefined;

async function answerTo(request: ReaderRequest): Promise<ReaderAnswer> {
  if (request.type === "begin") {
    await client?.close();
    begun = request;
    client = await systemNamed(system).connect(request.addresses);
    return {};
  }
  if (begun === undefined || client === undefined) throw new Error("no topic was begun");
  if (request.type === "follow") {
    following = new Following(begun.bodyBytes);
    await following.start(client, begun.topic);
    return {};
  }
  if (following === undefined) throw new Error("no topic is followed");
  return { figures: await following.finish(request.published, request.measuredFrom) };
}

process.on("message", (request: ReaderRequest) => {
  answerTo(request).then(
    (answer) => process.send?.(answer),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on("disconnect", () => process.exit(0));
process.send?.({});
