/** A broker group under all that its clients can send, and what its brokers use meanwhile. */

import { MeasuredCluster } from "../peers/measured-cluster.ts";
import type { PublishFigures } from "../peers/publisher.ts";
import type { ReaderFigures } from "../peers/reader-process.ts";
import { QUORUMLOG, type BrokerPlace, QuorumlogCluster } from "../peers/systems/quorumlog.ts";
import { isRunning, usageOf } from "../peers/process-usage.ts";
import { bytesWithin } from "./disk-usage.ts";
import type { TimedSample } from "./trend.ts";

/** Of one broker, of about a second. */
export interface BrokerSample extends TimedSample {
  readonly anonymousMb: number;
  readonly diskMb: number;
  /** Of one core. */
  readonly cpuShare: number;
}

/** Of the time that one load took. */
export interface Stretch extends TimedSample, PublishFigures {
  /** The longest time without an acknowledgement. */
  readonly gapMs: number;
}

/** Of the whole run. */
export interface SoakAudit extends ReaderFigures {
  /** Refused, or never answered. */
  readonly unacknowledged: number;
}

export const MESSAGE_BYTES = 1_024;
export const RETENTION_BYTES: number = 1024 * 1024 * 1024;

const TOPIC = "soak";
const MB = 1_048_576;

export class BrokerSoakGroup {
  readonly #measured: MeasuredCluster;
  readonly #brokers: readonly BrokerPlace[];
  /** By broker, when it was looked at, and what it had used of the processors. */
  readonly #before = new Map<number, { readonly at: number; readonly cpuMicros: number }>();

  /** @param parent - Where the temporary folder of the brokers is made. */
  static async start(parent: string): Promise<BrokerSoakGroup> {
    const words = ["--retention-bytes", `${RETENTION_BYTES}`];
    let brokers: readonly BrokerPlace[] = [];
    const start = async (directory: string): Promise<QuorumlogCluster> => {
      const cluster = await QuorumlogCluster.start(directory, words);
      brokers = cluster.brokers();
      return cluster;
    };
    const measured = await MeasuredCluster.start({ ...QUORUMLOG, start }, parent);
    try {
      await measured.begin(TOPIC, MESSAGE_BYTES);
      await measured.follow();
      return new BrokerSoakGroup(measured, brokers);
    } catch (error) {
      await measured.stop();
      throw error;
    }
  }

  private constructor(measured: MeasuredCluster, brokers: readonly BrokerPlace[]) {
    this.#measured = measured;
    this.#brokers = brokers;
  }

  /** A closed loop: so many messages are under way, until the time is over. */
  async publish(inFlight: number, ms: number): Promise<Stretch> {
    const load = { inFlight, ms, messagesMax: Number.MAX_SAFE_INTEGER };
    const figures = await this.#measured.publish(load);
    const { gaps } = await this.#measured.pulse();
    return { ...figures, at: Date.now(), gapMs: Math.max(0, ...gaps.map((gap) => gap.ms)) };
  }

  /**
   * By broker; `cpuShare` is of the time since the last one.
   *
   * @throws if one has ended.
   */
  samples(): Promise<BrokerSample[]> {
    return Promise.all(
      this.#brokers.map(async ({ pid, directory }) => {
        if (!isRunning(pid)) throw new Error(`the broker with its data in ${directory} has ended`);
        const diskMb = (await bytesWithin(directory)) / MB;
        const { cpuMicros, anonymousMb } = usageOf([pid]);
        const at = Date.now();
        const before = this.#before.get(pid);
        this.#before.set(pid, { at, cpuMicros });
        const micros = before === undefined ? Number.NaN : cpuMicros - before.cpuMicros;
        return { at, anonymousMb, diskMb, cpuShare: micros / 1_000 / (at - (before?.at ?? 0)) };
      }),
    );
  }

  /** Returns when everything that was acknowledged was read, or nothing comes any more. */
  async finish(): Promise<SoakAudit> {
    const { unknown } = await this.#measured.published();
    const audit = await this.#measured.finish();
    await this.samples();
    return { ...audit, unacknowledged: unknown.length };
  }

  stop(): Promise<void> {
    return this.#measured.stop();
  }
}
