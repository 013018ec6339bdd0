/** `quorumlog completion`: what a shell has to know of the commands. */

import { completionScript, SHELLS } from "../completion.ts";
import { type Command, command } from "../command.ts";

/** @param commands - Of the whole table, once that is there. */
export function completionCommand(commands: () => readonly Command[]): Command {
  return command(
    {},
    {
      name: "completion",
      operand: { name: "SHELL", oneOf: SHELLS },
      about: "prints completion for bash, zsh or fish",
      examples: ["source <(quorumlog completion bash)", "quorumlog completion fish | source"],
      run: ({ operand }) => {
        process.stdout.write(completionScript(operand, commands()));
        return Promise.resolve();
      },
    },
  );
}
