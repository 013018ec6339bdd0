/**
 * Scripts of configuration changes: `simple`, `enter-joint` and `leave-joint`, each followed by the
 * configuration that results and every member's progress, or by the problem.
 *
 * The log's last index is the number of commands so far, so that `next=` of a member tells at which
 * command its progress was created.
 */

import {
  type ChangeOutcome,
  type Configuration,
  EMPTY_CONFIGURATION,
  enterJoint,
  leaveJoint,
  ProgressTracker,
  simpleChange,
} from "@quorumlog/raft";
import { Arguments, CommandError } from "./arguments.ts";
import type { Interpreter } from "./interpreter.ts";
import { parseMemberChanges } from "./member-changes.ts";
import { describeConfiguration, describeProgresses } from "./membership.ts";
import type { Directive } from "./script.ts";

export class ConfigurationInterpreter implements Interpreter {
  #configuration: Configuration = EMPTY_CONFIGURATION;
  readonly #tracker = new ProgressTracker({ inflightCountMax: 10, inflightBytesMax: 0 });
  #lastIndex = 0;

  run(directive: Directive): string {
    try {
      return this.#run(directive);
    } catch (error) {
      if (error instanceof CommandError) return `${error.message}\n`;
      throw error;
    } finally {
      this.#lastIndex += 1;
    }
  }

  #run(directive: Directive): string {
    const outcome = this.#change(directive);
    if (!outcome.ok) return `${outcome.problem}\n`;
    this.#configuration = outcome.configuration;
    this.#tracker.reconcile(outcome, this.#lastIndex);
    const progresses = describeProgresses(this.#tracker.views());
    return `${describeConfiguration(outcome.configuration)}\n${progresses}`;
  }

  #change(directive: Directive): ChangeOutcome {
    const args = new Arguments(directive.args, ["autoleave"]);
    const changes = parseMemberChanges(directive.input.join(" "));
    switch (directive.command) {
      case "simple":
        return simpleChange(this.#configuration, changes);
      case "enter-joint":
        return enterJoint(this.#configuration, changes, args.namedBoolean("autoleave") ?? false);
      case "leave-joint":
        if (changes.length > 0) throw new CommandError("this command takes no input");
        return leaveJoint(this.#configuration);
      default:
        throw new CommandError("unknown command");
    }
  }
}
