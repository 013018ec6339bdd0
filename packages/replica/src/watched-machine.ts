/**
 * Names the function of the application that keeps everything else waiting, or whose answers are
 * none: a program without types may give a promise, or texts.
 */

import type { Environment } from "./environment.ts";
import type { Machine, StatePosition } from "./machine.ts";
import type { ReplicaEventListener } from "./replica-event.ts";

/** So long nothing else happens, heartbeats neither. */
const SLOW_MS = 100;

type Watch = <T>(name: string, run: () => T) => T;

export function watchedMachine(
  machine: Machine,
  environment: Environment,
  onEvent: ReplicaEventListener,
): Machine {
  const watch: Watch = (name, run) => {
    const startedAt = environment.now();
    const value = run();
    const milliseconds = Math.round(environment.now() - startedAt);
    if (milliseconds >= SLOW_MS) onEvent({ type: "slowCallback", name, milliseconds });
    return value;
  };
  return {
    ...(machine.copiesRecords === true ? { copiesRecords: true } : {}),
    ...(machine.covers === undefined ? {} : { covers: (at) => covers(machine, at, watch) }),
    apply: (batch) => {
      const answers = watch("apply", () => machine.apply(batch));
      demandAnswers(answers, batch.records.length);
      return answers;
    },
    snapshot: () => {
      const pieces = watch("snapshot", () => machine.snapshot());
      return eachBy(pieces, (next) => watch("snapshot", next));
    },
    restore: (chunks, position) => {
      watch("restore", () => {
        machine.restore(chunks, position);
      });
    },
  };
}

/** A promise would pass for a yes. @throws TypeError */
function covers(machine: Machine, position: StatePosition, watch: Watch): boolean {
  const answer: unknown = watch("covers", () => machine.covers?.(position));
  if (typeof answer === "boolean") return answer;
  throw new TypeError("covers of the state machine has to return true or false");
}

/** The same pieces, each of which is pulled by `pull`: a generator works as it is asked. */
function* eachBy(
  pieces: Iterable<Uint8Array>,
  pull: (next: () => IteratorResult<Uint8Array>) => IteratorResult<Uint8Array>,
): Generator<Uint8Array> {
  const iterator = pieces[Symbol.iterator]();
  const next = (): IteratorResult<Uint8Array> => iterator.next();
  try {
    for (let result = pull(next); result.done !== true; result = pull(next)) yield result.value;
  } finally {
    iterator.return?.();
  }
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
