/** A broker's state machine by itself: no node, no log, and an index on a file system in memory. */

import { MemoryFileSystem } from "@quorumlog/log/testing";
import { CommandAnswer } from "@quorumlog/protocol/messages";
import type { Command } from "@quorumlog/protocol/messages";
import { Prng } from "@quorumlog/std";
import { MemoryTables } from "@quorumlog/tables";
import { QueueIndex } from "../../src/queue-index/queue-index.ts";
import { BrokerMachine, TABLE_NAMES } from "../../src/state/broker-machine.ts";
import { commandRecord } from "../../src/state/command-record.ts";
import { parsePublishAnswer } from "../../src/state/publish-answer.ts";

export class TestMachine {
  readonly machine: BrokerMachine;
  /** By the log's time: milliseconds since 1970; each record is a millisecond later. */
  now = 1_700_000_000_000;
  /** How often it was told that topics or configuration are others. */
  metadataChanges = 0;
  #offset = 0;

  /** @param rulesVersion - The newest that it knows; default those of today. */
  constructor(groupId = 1, rulesVersion?: number) {
    const fileSystem = new MemoryFileSystem({ prng: new Prng(1) });
    this.machine = new BrokerMachine({
      groupId,
      ...(rulesVersion === undefined ? {} : { rulesVersion }),
      tables: new MemoryTables(TABLE_NAMES),
      openIndex: () =>
        new QueueIndex({
          fileSystem,
          directory: "/index",
          onFailure: (error) => {
            throw error;
          },
        }),
      onStored: () => undefined,
      onAssigned: () => undefined,
      onMetadata: () => {
        this.metadataChanges += 1;
      },
    });
  }

  /** Becomes what another one is, as a node that was too far behind. */
  install(other: TestMachine): void {
    this.#offset = other.#offset;
    this.now = other.now;
    this.machine.restore(other.machine.snapshot(), { index: this.#offset, offset: this.#offset });
  }

  /** One record, and what it came to. */
  apply(record: Uint8Array): Uint8Array {
    const [answer] = this.machine.apply({
      offset: this.#offset,
      records: [record],
      timestamp: this.now,
    });
    this.#offset += 1;
    this.now += 1;
    return answer as Uint8Array;
  }

  execute(command: Command.$Properties): CommandAnswer {
    return CommandAnswer.decode(this.apply(commandRecord(command)));
  }

  publish(batch: Uint8Array): ReturnType<typeof parsePublishAnswer> {
    return parsePublishAnswer(this.apply(batch));
  }
}
