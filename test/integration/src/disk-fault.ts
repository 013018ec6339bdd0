/** A fault of a disk, or an end of the process, at one operation: as a flag says it. */

export const DISK_OPERATIONS = [
  "create",
  "remove",
  "rename",
  "sync",
  "syncDirectory",
  "write",
] as const;

export type DiskOperation = (typeof DISK_OPERATIONS)[number];

export interface DiskFault {
  /** `error`: the operation fails. `kill-...`: the process ends before it, or right after it. */
  readonly effect: "error" | "kill-before" | "kill-after";
  readonly operation: DiskOperation;
  /** The n-th one from when the fault was set, from 1 on. */
  readonly number: number;
}

/** The text that {@link parseDiskFault} reads: `kill-after-rename:3`. */
export function formatDiskFault({ effect, operation, number }: DiskFault): string {
  return `${effect}-${operation}:${number}`;
}

/** @throws RangeError */
export function parseDiskFault(text: string): DiskFault {
  const match =
    /^(?<effect>error|kill-before|kill-after)-(?<operation>[A-Za-z]+):(?<number>\d+)$/u.exec(text);
  const { effect, operation, number } = match?.groups ?? {};
  const known = DISK_OPERATIONS.find((name) => name === operation);
  if (known === undefined || Number(number) < 1)
    throw new RangeError(`"${text}" is no fault: expected for example kill-after-rename:3`);
  return { effect: effect as DiskFault["effect"], operation: known, number: Number(number) };
}
