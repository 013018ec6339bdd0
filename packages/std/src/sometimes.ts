/**
 * Marks of rare paths: `sometimes("name")` says that a path was taken.
 *
 * A no-op unless a recorder is installed. The simulator installs one and fails when a mark it lists
 * was never reached, so that a path nobody tests is noticed instead of trusted.
 */

export type SometimesRecorder = (name: string) => void;

let recorder: SometimesRecorder | undefined;

/** Reports that the path called `name` was taken. */
export function sometimes(name: string): void {
  if (recorder !== undefined) recorder(name);
}

/** Installs this process's recorder, or removes it with `undefined`; returns the one before. */
export function recordSometimes(
  next: SometimesRecorder | undefined,
): SometimesRecorder | undefined {
  const previous = recorder;
  recorder = next;
  return previous;
}
