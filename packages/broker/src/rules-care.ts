/**
 * Raises the rules that are in force, on the leader of each broker group: when every member of the
 * group, voters and learners, has said that its program knows newer ones.
 *
 *     restarted with a later version, one after the other ──> the last one says so ──> raiseRules
 *
 * One that is down, or is not known, has said nothing: then they stay as they are.
 */

import { OperationError } from "@quorumlog/protocol";
import type { BrokerGroup } from "./broker-group.ts";

export interface RulesCareInit {
  readonly group: BrokerGroup;
  /** The group goes by these now. */
  readonly onRaised: (rulesVersion: number) => void;
  readonly onDefect: (error: unknown) => void;
}

const LOOK_MS = 1_000;

export class RulesCare {
  readonly #init: RulesCareInit;
  readonly #timer: NodeJS.Timeout;
  #isRaising = false;

  constructor(init: RulesCareInit) {
    this.#init = init;
    this.#timer = setInterval(() => {
      this.#look();
    }, LOOK_MS);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { group, onDefect } = this.#init;
    // Whatever leaders before have raised is applied here then: nothing is raised twice.
    if (this.#isRaising || !group.hasBegun) return;
    const { commonRules } = group.replica;
    if (commonRules <= group.machine.rules.inForce) return;
    this.#isRaising = true;
    this.#raise(commonRules)
      .catch((error: unknown) => {
        // Somebody else leads, or nobody does: it is looked at again.
        if (!(error instanceof OperationError)) onDefect(error);
      })
      .finally(() => {
        this.#isRaising = false;
      });
  }

  async #raise(rulesVersion: number): Promise<void> {
    const { group, onRaised } = this.#init;
    await group.execute({ raiseRules: { rulesVersion } });
    onRaised(rulesVersion);
  }
}
