/** Runs interaction scripts: one environment for the script, one output for each directive. */

import { InvariantViolation } from "@quorumlog/std";
import { CommandError } from "../arguments.ts";
import type { Interpreter } from "../interpreter.ts";
import { parseCommandLine, type Directive, ScriptError } from "../script.ts";
import {
  PROPOSE_CONFIGURATION_CHANGE,
  proposeConfigurationChange,
  runCommand,
} from "./commands.ts";
import { Environment } from "./environment.ts";

export class InteractionInterpreter implements Interpreter {
  readonly #environment = new Environment();

  run(directive: Directive): string {
    const { output } = this.#environment;
    output.take();
    const problem = this.#attempt(() => this.#runAll(directive));
    const broken = this.#environment.brokenInvariant();
    const text = output.take() + (problem ?? "");
    if (broken !== undefined) throw new InvariantViolation(`${broken}, after:\n${text}`);
    return text === "" ? "ok" : text;
  }

  #runAll(directive: Directive): void {
    if (directive.command === PROPOSE_CONFIGURATION_CHANGE) {
      proposeConfigurationChange(this.#environment, directive, directive.input.join(" "));
      return;
    }
    runCommand(this.#environment, directive);
    const { output } = this.#environment;
    // Lines of input are more commands: one output for all of them.
    for (const line of directive.input) {
      const problem = this.#attempt(() => runCommand(this.#environment, parseCommandLine(line)));
      if (problem === undefined) continue;
      if (output.isQuiet) throw new CommandError(problem);
      output.write(problem);
    }
  }

  /** Runs one command; what it cannot do is part of the output, even where nothing else is. */
  #attempt(run: () => void): string | undefined {
    try {
      run();
      return undefined;
    } catch (error) {
      if (error instanceof CommandError || error instanceof ScriptError) return error.message;
      throw error;
    }
  }
}
