/** A replica, with a load, a reader and a probe, in a process of its own. */

import { createHash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type AppendAck, ReplicatedLog } from "@quorumlog/replica";
import { runLoad } from "../replica/append-load.ts";
import { ENTRY_BYTES, type LoadSample, PacedLoad } from "./paced-load.ts";
import { type ProcessSample, ProcessProbe, STALL_MS } from "./process-probe.ts";
import { timedFileSystem } from "./timed-file-system.ts";

export interface SoakConfig {
  readonly nodeId: number;
  readonly directory: string;
  /** Where nodes listen, by node id. */
  readonly peers: Readonly<Record<number, string>>;
}

export interface SoakState {
  readonly leaderId: number | undefined;
  readonly term: number;
  readonly appliedIndex: number;
  readonly firstIndex: number;
  readonly firstOffset: number;
  readonly nextOffset: number;
  /** Appends that this node's load has sent and not heard of. */
  readonly underWay: number;
  /** Records that the reader here was given. */
  readonly tailed: number;
}

export interface NodeSample extends ProcessSample, LoadSample, SoakState {
  readonly nodeId: number;
}

/** What was read of `[from, to)`. */
export interface ReadBack {
  readonly records: number;
  /** Acknowledged here, and not what stands at their offset. */
  readonly lost: number;
  readonly digest: string;
}

export type SoakRequest =
  | { readonly type: "state" | "tail" }
  | { readonly type: "lead"; readonly nodeId: number }
  | { readonly type: "peak"; readonly ms: number }
  | { readonly type: "rate"; readonly perSecond: number }
  | { readonly type: "readBack"; readonly from: number; readonly to: number };

export type SoakAnswer =
  | { readonly type: "ready" | "done" }
  | { readonly type: "peak"; readonly perSecond: number }
  | { readonly type: "state"; readonly state: SoakState }
  | { readonly type: "readBack"; readonly readBack: ReadBack }
  /** Not answers: told as it happens. */
  | { readonly type: "sample"; readonly sample: NodeSample }
  | { readonly type: "trouble"; readonly nodeId: number; readonly what: string };

const RETENTION_BYTES = 256 * 1024 * 1024;
const SEGMENT_BYTES = 8 * 1024 * 1024;

const SAMPLE_MS = 1_000;
const TRIM_LOOK_MS = 50;
/** More of the same say nothing new. */
const TROUBLES_MAX = 20;
const PEAK_IN_FLIGHT = 4_096;
const READ_BYTES = 1024 * 1024;

function send(message: SoakAnswer): void {
  process.send?.(message);
}

class SoakNode {
  readonly #nodeId: number;
  readonly #probe: ProcessProbe;
  readonly #log: ReplicatedLog;
  readonly #load: PacedLoad;
  #troubleCount = 0;
  #tailed = 0;

  static async open({ nodeId, directory, peers }: SoakConfig): Promise<SoakNode> {
    const probe = new ProcessProbe(directory);
    const log = await ReplicatedLog.open({
      directory,
      clusterId: "bench",
      nodeId,
      peers,
      token: "the token of the bench",
      ifMissing: "found",
      retention: { bytes: RETENTION_BYTES },
      tuning: { segmentBytes: SEGMENT_BYTES, snapshotEveryBytes: 2 * SEGMENT_BYTES },
      fileSystem: timedFileSystem((pause) => {
        probe.journal.note(pause);
      }),
      onEvent: ({ type, ...rest }) => {
        const error = "error" in rest ? rest.error.message : undefined;
        if (type === "failed" || type === "snapshotFailed" || type === "malformedFrame")
          send({ type: "trouble", nodeId, what: `${type} ${error ?? ""}` });
      },
    });
    await log.leader();
    return new SoakNode(nodeId, probe, log);
  }

  private constructor(nodeId: number, probe: ProcessProbe, log: ReplicatedLog) {
    this.#nodeId = nodeId;
    this.#probe = probe;
    this.#log = log;
    this.#load = new PacedLoad({
      gapMsMin: STALL_MS,
      append: (bytes) => log.append(bytes).then(({ offset }: AppendAck) => offset as number),
      onGap: (startedAt, milliseconds) => {
        probe.noteStall("acks", startedAt, milliseconds);
      },
      onFailure: (error) => {
        this.#tellTrouble("an append failed", error);
      },
    });
    setInterval(() => {
      this.#sample().catch((error: unknown) => {
        this.#tellTrouble("no sample could be taken", error);
      });
    }, SAMPLE_MS);
    this.#watchTrims();
  }

  async answer(request: SoakRequest): Promise<SoakAnswer> {
    switch (request.type) {
      case "state":
        return { type: "state", state: this.#state() };
      case "lead":
        await this.#log.transferLeadership(request.nodeId);
        return { type: "done" };
      case "peak": {
        const { ms } = request;
        const load = { entryBytes: ENTRY_BYTES, inFlight: PEAK_IN_FLIGHT, warmupMs: ms / 2, ms };
        const { entries, seconds } = await runLoad(load, (bytes) => this.#log.append(bytes));
        return { type: "peak", perSecond: entries / seconds };
      }
      case "rate":
        this.#load.perSecond = request.perSecond;
        return { type: "done" };
      case "tail":
        this.#tail().catch((error: unknown) => {
          this.#tellTrouble("the reader stopped", error);
        });
        return { type: "done" };
      default:
        return { type: "readBack", readBack: await this.#readBack(request.from, request.to) };
    }
  }

  #watchTrims(): void {
    let { firstIndex } = this.#log.status();
    let lookedAt = performance.now();
    setInterval(() => {
      const now = performance.now();
      const status = this.#log.status();
      const pause = { cause: "trim", startedAt: lookedAt, milliseconds: now - lookedAt };
      if (status.firstIndex !== firstIndex) this.#probe.journal.note(pause);
      firstIndex = status.firstIndex;
      lookedAt = now;
    }, TRIM_LOOK_MS);
  }

  async #sample(): Promise<void> {
    const measured = await this.#probe.sample();
    const sample = { nodeId: this.#nodeId, ...measured, ...this.#load.sample(), ...this.#state() };
    send({ type: "sample", sample });
  }

  #state(): SoakState {
    const status = this.#log.status();
    const { leaderId, term, appliedIndex, firstIndex, firstOffset, nextOffset } = status;
    const counts = { underWay: this.#load.underWay, tailed: this.#tailed };
    return { leaderId, term, appliedIndex, firstIndex, firstOffset, nextOffset, ...counts };
  }

  /** Whoever reads on and on from the end sees every offset once. */
  async #tail(): Promise<void> {
    let next = this.#log.status().nextOffset;
    for await (const { offset, data } of this.#log.tail(next)) {
      if (offset !== next) throw new Error(`offset ${offset} came in place of ${next}`);
      if (data.byteLength !== ENTRY_BYTES) throw new Error(`the record at ${offset} is not whole`);
      next += 1;
      this.#tailed += 1;
    }
  }

  /** A stretch per turn: the group goes on meanwhile. */
  async #readBack(from: number, to: number): Promise<ReadBack> {
    const hash = createHash("sha256");
    const rememberedFrom = this.#load.rememberedFrom(to);
    let records = 0;
    let lost = 0;
    for (let next = from; next < to;) {
      const read = this.#log.read(next, { maxBytes: READ_BYTES });
      for (const { offset, data } of read.records) {
        if (offset >= to) break;
        const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
        hash.update(bytes);
        records += 1;
        if (offset >= rememberedFrom && !this.#load.isAckedAs(offset, bytes)) lost += 1;
      }
      next = read.nextOffset;
      await nextTurn();
    }
    return { records, lost, digest: hash.digest("hex") };
  }

  #tellTrouble(what: string, error: unknown): void {
    this.#troubleCount += 1;
    if (this.#troubleCount > TROUBLES_MAX) return;
    const why = error instanceof Error ? error.message : String(error);
    send({ type: "trouble", nodeId: this.#nodeId, what: `${what}: ${why}` });
  }
}

async function main(config: SoakConfig): Promise<void> {
  const node = await SoakNode.open(config);
  process.on("message", (request: SoakRequest) => {
    node.answer(request).then(send, (error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  });
  process.on("disconnect", () => process.exit(0));
  send({ type: "ready" });
}

if (process.argv[1]?.endsWith("soak-node.js") === true)
  await main(JSON.parse(process.argv[2] ?? "{}") as SoakConfig);
