/** The whole run: publishes, disturbs, consumes, and compares. */

import { fileURLToPath } from "node:url";
import { Producer, PullConsumer } from "@quorumlog/client";
import { ProcessCluster } from "../kit/process-cluster.ts";
import { ConsumerMembers } from "./consumer-members.ts";
import { DeliveryAudit } from "./delivery-audit.ts";
import { Disturbance } from "./disturbance.ts";
import { ProblemList } from "./problem-list.ts";
import { ProgressLine } from "./progress-line.ts";
import { Publication } from "./publication.ts";
import { sourceText } from "./source-text.ts";
import { StoredAudit } from "./stored-audit.ts";
import { TextLedger } from "./text-ledger.ts";

export interface TextRunOptions {
  readonly megabytes: number;
  readonly seed: number;
  readonly kills: number;
  readonly replacements: number;
  readonly members: number;
}

export interface TextRunSummary extends TextRunOptions {
  readonly files: number;
  readonly bytes: number;
  readonly lines: number;
  readonly acknowledged: number;
  /** Acknowledged by an attempt that found them stored by an earlier one. */
  readonly knownBefore: number;
  readonly consumed: number;
  readonly redelivered: number;
  readonly stored: number;
  readonly storedTwice: number;
  readonly publishSeconds: number;
  readonly consumeSeconds: number;
  readonly auditSeconds: number;
  readonly problemCount: number;
  readonly problems: readonly string[];
}

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
const FOLDER = "node_modules";
const MEGABYTE = 1_000_000;
const TOPIC = "text";
const CONSUMER_GROUP = "readers";
const QUEUE_COUNT = 8;
/** Kills, elections and a machine that is busy are within it. */
const SEND_MS = 300_000;
const IDLE_MS = 120_000;
const POLL_MESSAGES = 20_000;
const POLL_MS = 10_000;

export async function runText(
  options: TextRunOptions,
  print: (line: string) => void,
): Promise<TextRunSummary> {
  await using cluster = await ProcessCluster.start();
  const admin = await cluster.admin();
  await admin.createTopic({ name: TOPIC, type: "fifo", queueCount: QUEUE_COUNT });
  const run = new TextRun(cluster, options, print);
  try {
    return await run.run();
  } finally {
    await run.stop();
  }
}

class TextRun {
  readonly #cluster: ProcessCluster;
  readonly #options: TextRunOptions;
  readonly #problems = new ProblemList();
  readonly #ledger = new TextLedger();
  readonly #deliveries: DeliveryAudit;
  readonly #stored: StoredAudit;
  readonly #progress: ProgressLine;
  readonly #members: ConsumerMembers;
  #publication: Publication | undefined;

  constructor(cluster: ProcessCluster, options: TextRunOptions, print: (line: string) => void) {
    this.#cluster = cluster;
    this.#options = options;
    this.#deliveries = new DeliveryAudit(this.#ledger, this.#problems);
    this.#stored = new StoredAudit(this.#ledger, this.#problems);
    this.#progress = new ProgressLine(print, () => ({
      bytes: this.#publication?.sentBytes ?? 0,
      bytesInAll: options.megabytes * MEGABYTE,
      acknowledged: this.#publication?.acknowledgedCount ?? 0,
      consumed: this.#deliveries.deliveredCount,
      stored: this.#stored.lineCount,
    }));
    this.#members = new ConsumerMembers({
      settings: {
        nameServers: cluster.nameServers,
        topic: TOPIC,
        consumerGroup: CONSUMER_GROUP,
      },
      onRange: (range) => {
        this.#deliveries.add(range);
      },
      onEvent: (memberId, text) => {
        this.#progress.tell(`${memberId} ${text}`);
      },
      onProblem: (problem) => {
        this.#problems.add(problem);
      },
    });
  }

  async run(): Promise<TextRunSummary> {
    for (let i = 0; i < this.#options.members; i++) await this.#members.start();
    const startedAt = performance.now();
    const publication = await this.#publish();
    const publishedAt = performance.now();
    this.#progress.tell(`all ${this.#ledger.lineCount} lines are published`);
    await this.#consumed();
    await this.#members.close();
    this.#deliveries.finish();
    const consumedAt = performance.now();
    this.#progress.tell("all members have left; every queue is read from its beginning");
    await this.#audit();
    this.#stored.finish();
    const auditedAt = performance.now();
    return {
      ...this.#options,
      files: this.#ledger.fileCount,
      bytes: publication.sentBytes,
      lines: this.#ledger.lineCount,
      acknowledged: publication.acknowledgedCount,
      knownBefore: publication.knownBeforeCount,
      consumed: this.#deliveries.deliveredCount,
      redelivered: this.#deliveries.redeliveredCount,
      stored: this.#stored.lineCount,
      storedTwice: this.#stored.duplicateCount,
      publishSeconds: seconds(publishedAt - startedAt),
      consumeSeconds: seconds(consumedAt - startedAt),
      auditSeconds: seconds(auditedAt - consumedAt),
      problemCount: this.#problems.count,
      problems: this.#problems.lines(),
    };
  }

  async stop(): Promise<void> {
    this.#progress.stop();
    await this.#members.stop();
  }

  async #publish(): Promise<Publication> {
    const { megabytes, seed, kills, replacements, members } = this.#options;
    const bytes = megabytes * MEGABYTE;
    await using producer = await Producer.open({
      nameServers: this.#cluster.nameServers,
      producerGroup: "writers",
      timeoutMs: SEND_MS,
      onFull: "wait",
    });
    const disturbance = new Disturbance(
      {
        cluster: this.#cluster,
        killMember: async (prng) => {
          const memberId = prng.pick(this.#members.memberIds);
          await this.#members.kill(memberId);
          await this.#members.start();
          return memberId;
        },
        tell: (line) => {
          this.#progress.tell(line);
        },
      },
      // Somebody has to be left.
      { seed, bytes, kills, replacements, memberKills: members > 1 ? 1 : 0 },
    );
    const publication = new Publication({
      producer,
      topic: TOPIC,
      ledger: this.#ledger,
      problems: this.#problems,
      mayGoOn: (sentBytes) => disturbance.mayGoOn(sentBytes),
    });
    this.#publication = publication;
    await Promise.all([publication.run(sourceText(`${ROOT}${FOLDER}`, bytes)), disturbance.run()]);
    return publication;
  }

  /** As long as there is something new, now and then. */
  async #consumed(): Promise<void> {
    const { lineCount } = this.#ledger;
    let before = -1;
    while (this.#deliveries.deliveredCount < lineCount) {
      const count = this.#deliveries.deliveredCount;
      if (count === before) {
        this.#problems.add(`nothing was consumed for ${IDLE_MS} ms, at ${count} of ${lineCount}`);
        return;
      }
      before = count;
      const look = (): true | undefined =>
        this.#deliveries.deliveredCount >= lineCount ? true : undefined;
      await this.#cluster.until("more is consumed", look, IDLE_MS).catch((error: unknown) => {
        this.#progress.tell(String(error));
      });
    }
  }

  async #audit(): Promise<void> {
    const admin = await this.#cluster.admin();
    const offsets = await admin.groupOffsets(CONSUMER_GROUP);
    for (const { queue, lag } of offsets)
      if (lag !== 0) this.#problems.add(`queue ${queue}: ${lag} messages are not committed`);
    const inAll = offsets.reduce((sum, { endOffset }) => sum + endOffset, 0);
    await using consumer = await PullConsumer.open({ nameServers: this.#cluster.nameServers });
    await consumer.assign(consumer.queuesOf(TOPIC));
    for (let count = 0; count < inAll;) {
      const messages = await consumer.poll({ maxMessages: POLL_MESSAGES, timeoutMs: POLL_MS });
      for (const message of messages) this.#stored.add(message);
      count += messages.length;
      if (messages.length > 0) continue;
      this.#problems.add(`${count} of ${inAll} stored messages could be read`);
      return;
    }
  }
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 100) / 10;
}

function rate(count: number, inSeconds: number): string {
  return `${Math.round(count / inSeconds)}/s`;
}

/** A few lines for people. */
export function describeRun(summary: TextRunSummary): string {
  const { lines, bytes, files, publishSeconds, consumeSeconds, auditSeconds, stored } = summary;
  const problems = summary.problems.map((problem) => `PROBLEM ${problem}`);
  return [
    ...problems,
    `${lines} lines of ${files} files, ${bytes} bytes; ${summary.kills} leaders were killed, ` +
      `${summary.replacements} followers replaced; seed ${summary.seed}`,
    `published  ${summary.acknowledged} acknowledged in ${publishSeconds} s ` +
      `(${rate(lines, publishSeconds)}), ${summary.knownBefore} by a later attempt`,
    `consumed   ${summary.consumed}, and ${summary.redelivered} of them again, ` +
      `in ${consumeSeconds} s (${rate(lines, consumeSeconds)})`,
    `stored     ${stored}, ${summary.storedTwice} twice; read in ${auditSeconds} s ` +
      `(${rate(stored, auditSeconds)})`,
    `${summary.problemCount} problems`,
  ].join("\n");
}
