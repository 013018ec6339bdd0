/**
 * Names the function of the application that keeps everything else waiting, or whose answers are
 * none: a program without types may give a promise, or texts.
 */

import type { Environment } from "./environment.ts";
import type { Machine } from "./machine.ts";
import type { ReplicaEventListener } from "./replica-event.ts";

/** So long nothing else happens, heartbeats neither. */
const SLOW_MS = 100;

export function watchedMachine(
  machine: Machine,
  environment: Environment,
  onEvent: ReplicaEventListener,
): Machine {
  const watch = <T>(name: string, run: () => T): T => {
    const startedAt = environment.now();
    const value = run();
    const milliseconds = Math.round(environment.now() - startedAt);
    if (milliseconds >= SLOW_MS) onEvent({ type: "slowCallback", name, milliseconds });
    return value;
  };
  return {
    ...(machine.copiesRecords === true ? { copiesRecords: true } : {}),
    apply: (batch) => {
      const answers = watch("apply", () => machine.apply(batch));
      demandAnswers(answers, batch.records.length);
      return answers;
    },
    snapshot: () => watch("snapshot", () => machine.snapshot()),
    restore: (chunks) => {
      watch("restore", () => {
        machine.restore(chunks);
      });
    },
  };
}

/** Before they are part of a session, and of a snapshot. @throws TypeError */
function demandAnswers(answers: unknown, count: number): void {
  const wanted = "apply of the state machine has to return an array with a Uint8Array per record";
  if (!Array.isArray(answers)) throw new TypeError(`${wanted}: it returned something else`);
  if (answers.length !== count)
    throw new TypeError(`${wanted}: it returned ${answers.length} for ${count}`);
  for (const answer of answers)
    if (!(answer instanceof Uint8Array)) throw new TypeError(`${wanted}: one is something else`);
}
