/**
 * Publishes files line by line: a few dozen of them at the same time, each in its order, without
 * waiting for one message before the next.
 */

import { type Producer, type SendReceipt } from "@quorumlog/client";
import type { ProblemList } from "./problem-list.ts";
import type { TextFile } from "./source-text.ts";
import type { TextLedger } from "./text-ledger.ts";

export interface PublicationInit {
  readonly producer: Producer;
  readonly topic: string;
  readonly ledger: TextLedger;
  readonly problems: ProblemList;
  /** Asked with the bytes that were sent so far, before there are more: it may wait. */
  readonly mayGoOn: (bytes: number) => Promise<void> | undefined;
}

interface OpenFile {
  readonly file: TextFile;
  next: number;
}

const OPEN_FILE_COUNT = 32;
/** Sent and not settled. */
const WINDOW = 20_000;
/** The loop lets others have their turn after so many. */
const TURN = 256;

export class Publication {
  readonly #init: PublicationInit;
  #sentBytes = 0;
  #sentCount = 0;
  #settledCount = 0;
  #acknowledgedCount = 0;
  #knownBefore = 0;
  #onSettled: (() => void) | undefined;

  constructor(init: PublicationInit) {
    this.#init = init;
  }

  get sentBytes(): number {
    return this.#sentBytes;
  }

  get acknowledgedCount(): number {
    return this.#acknowledgedCount;
  }

  /** Messages of batches that were stored by an attempt whose answer was lost. */
  get knownBeforeCount(): number {
    return this.#knownBefore;
  }

  /** @returns when every line was acknowledged, or is a problem. */
  async run(files: Iterator<TextFile, void, void>): Promise<void> {
    const open: OpenFile[] = [];
    for (;;) {
      while (open.length < OPEN_FILE_COUNT) {
        const next = files.next();
        if (next.done === true) break;
        this.#init.ledger.add(next.value);
        open.push({ file: next.value, next: 0 });
      }
      if (open.length === 0) break;
      for (let i = 0; i < TURN && open.length > 0; i++) {
        const turn = i % open.length;
        if (!this.#sendFrom(open[turn] as OpenFile)) open.splice(turn, 1);
      }
      await this.#room();
      await this.#init.mayGoOn(this.#sentBytes);
    }
    while (this.#settledCount < this.#sentCount) await this.#settled();
  }

  /** @returns whether there is more of it. */
  #sendFrom(open: OpenFile): boolean {
    const { file } = open;
    const body = file.lines[open.next] as Buffer;
    const number = open.next;
    open.next += 1;
    this.#sentBytes += body.length;
    this.#sentCount += 1;
    this.#init.producer.send(this.#init.topic, { body, messageGroup: file.path }).then(
      (receipt) => {
        this.#onReceipt(receipt);
      },
      (error: unknown) => {
        this.#init.problems.add(`${file.path}: line ${number} was not taken: ${String(error)}`);
        this.#onEnd();
      },
    );
    return open.next < file.lines.length;
  }

  #onReceipt({ isDuplicate }: SendReceipt): void {
    this.#acknowledgedCount += 1;
    if (isDuplicate) this.#knownBefore += 1;
    this.#onEnd();
  }

  #onEnd(): void {
    this.#settledCount += 1;
    const underWay = this.#sentCount - this.#settledCount;
    if (this.#onSettled !== undefined && underWay < WINDOW / 2) this.#onSettled();
  }

  async #room(): Promise<void> {
    if (this.#sentCount - this.#settledCount >= WINDOW) await this.#settled();
    else await new Promise((resolve) => setImmediate(resolve));
  }

  /** Something more. */
  async #settled(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onSettled = resolve;
    });
    this.#onSettled = undefined;
  }
}
