/**
 * By which rules records of the log are applied: the log itself says so, and every node follows it.
 *
 *     record, record, raiseRules 2 │ record, record
 *     ─────── by rules 1 ──────────┘ by rules 2, or not at all
 *
 * A program that knows newer rules applies by those in force, and writes nothing else, until they
 * are raised. One that does not know what the log has stops in front of it: its state would be
 * another one from there on. What was applied stays, and a program that knows the rules goes on.
 */

import type { RaiseRulesCommand } from "@quorumlog/protocol/messages";
import type { Table } from "@quorumlog/tables";

/**
 * The newest rules that this program knows. One more with each change of what any record does; what
 * the rules before did stays, as logs have records of their time.
 */
export const RULES_VERSION = 1;

/** Of a log that has never raised them. */
const FIRST_RULES = 1;
const ROW_KEY = "inForce";

/** The log, or a state, is of rules that this program does not know: nothing of it is taken. */
export class RulesVersionError extends Error {
  override readonly name = "RulesVersionError";
  readonly code = "RULES_VERSION";

  /** @param found - What there is, as in "the log has rules 2". */
  constructor(found: string, known: number) {
    super(
      `${found}, and this version knows rules up to ${known}: ` +
        "start a version that knows them; nothing was lost",
    );
  }
}

export class Rules {
  /** By this node's program. */
  readonly known: number;
  readonly #rows: Table<readonly number[]>;

  constructor(rows: Table<readonly number[]>, known: number) {
    this.#rows = rows;
    this.known = known;
  }

  get inForce(): number {
    return this.#rows.get(ROW_KEY)?.[0] ?? FIRST_RULES;
  }

  /** @throws RulesVersionError before anything is changed. */
  raise({ rulesVersion }: RaiseRulesCommand): void {
    if (rulesVersion > this.known) throw this.#unknown(`the log has rules ${rulesVersion}`);
    if (rulesVersion > this.inForce) this.#rows.set(ROW_KEY, [rulesVersion]);
  }

  /** Of a state that comes from somewhere else. @throws RulesVersionError */
  demandKnown(): void {
    const { inForce } = this;
    if (inForce > this.known) throw this.#unknown(`the state follows rules ${inForce}`);
  }

  /** @param what - That is in the log, and that no program of these rules writes. */
  beyond(what: string): RulesVersionError {
    return this.#unknown(`the log has ${what} of rules that are not known here`);
  }

  #unknown(found: string): RulesVersionError {
    return new RulesVersionError(found, this.known);
  }
}
