/**
 * Registers, by number, on the machine of the key-value example.
 *
 *     read           {key}                    {value}: null if it is empty; any node
 *     write          {key, value}             {}
 *     compareAndSet  {key, expected, value}   {hasSet}; expected null: only if it is empty
 */

import { type Command, type KeyValueMachine, STATUSES } from "@quorumlog/example-kv";
import type { ReplicatedStateMachine } from "@quorumlog/replica";
import { CallError } from "./call-error.ts";
import type { CallInput } from "./call-input.ts";
import { type CallPlace, type CallServer, serveCalls } from "./call-server.ts";
import { type StatusSource, statusCall } from "./status-call.ts";

type RegisterGroup = StatusSource & Pick<ReplicatedStateMachine, "execute" | "readBarrier">;

/** What a command that compares is answered with if something else is there. */
const OTHER_VALUE = 409;
const DONE = 204;

/** @throws Error if the port cannot be had. */
export function serveRegisters(
  group: RegisterGroup,
  machine: Pick<KeyValueMachine, "get">,
  place: CallPlace,
): Promise<CallServer> {
  return serveCalls(
    {
      status: statusCall(group),
      read: async (input) => {
        const key = input.count("key");
        await group.readBarrier(input.wait);
        const text = machine.get(String(key));
        return { value: text === undefined ? null : Number(text) };
      },
      write: async (input) => {
        await execute(group, commandOf(input, undefined), input);
        return {};
      },
      compareAndSet: async (input) => {
        const expected = input.optionalCount("expected");
        // As the machine has it: an empty text is an empty register.
        const command = commandOf(input, expected === undefined ? "" : String(expected));
        return { hasSet: (await execute(group, command, input)) === DONE };
      },
    },
    place,
  );
}

function commandOf(input: CallInput, expected: string | undefined): Command {
  return { key: String(input.count("key")), value: String(input.count("value")), expected };
}

/** @returns the status that the machine answered with. */
async function execute(group: RegisterGroup, command: Command, input: CallInput): Promise<number> {
  const [answer = -1] = await group.execute(Buffer.from(JSON.stringify(command)), input.wait);
  const status = STATUSES[answer];
  if (status === DONE || status === OTHER_VALUE) return status;
  const message = `the machine answered ${status ?? answer}`;
  throw new CallError({ code: "UNEXPECTED", outcome: "unknown", leaderId: null, message });
}
