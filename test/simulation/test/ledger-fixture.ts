/** A ledger with an oracle on it, and entries to put into them. */

import { EMPTY_CONFIGURATION, type Entry, type Snapshot } from "@quorumlog/raft";
import { Ledger } from "../src/check/ledger.ts";
import { Oracle, type WriteOperation } from "../src/check/oracle.ts";
import { encodeCommand } from "../src/node/command.ts";
import { StateMachine } from "../src/node/state-machine.ts";

const KEY_COUNT = 2;

const VOTERS = [1, 2, 3].map((id) => ({ id, incarnation: 1 }));

function bootstrapSnapshot(): Snapshot {
  return {
    lastIncludedIndex: 1,
    lastIncludedTerm: 1,
    configuration: { ...EMPTY_CONFIGURATION, voters: VOTERS },
    data: StateMachine.bootstrap(KEY_COUNT, 1, 1).snapshot(),
  };
}

export class LedgerFixture {
  readonly ledger: Ledger;
  readonly oracle: Oracle;

  constructor() {
    this.ledger = new Ledger(bootstrapSnapshot(), KEY_COUNT, (entry, effect) => {
      this.oracle.onCommitted(entry, effect);
    });
    this.oracle = new Oracle(this.ledger);
  }

  /** A write that is proposed and committed at once, by a leader of term 2. */
  commitWrite(client: number, serial: number): { operation: WriteOperation; index: number } {
    const operation = this.oracle.invokeWrite({ client, serial, key: 0 });
    const entry = this.propose(operation);
    this.ledger.commit(entry, 2);
    return { operation, index: entry.index };
  }

  /** The entry of one attempt, next in the log. */
  propose(operation: WriteOperation): Entry {
    const attempt = this.oracle.startAttempt(operation);
    const { client, serial, key, value } = operation;
    const data = encodeCommand({ client, serial, key, value, attempt }, 0);
    const index = this.ledger.committedIndex + 1;
    this.oracle.onAppended(attempt, { index, term: 2 });
    return { term: 2, index, kind: "normal", data };
  }
}
