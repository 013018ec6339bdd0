/** Which disks nodes of a run have: `--disk`. Both forget by a loss of power what is not synced. */

import { tryLazyFs } from "./lazy-trial.ts";

export type DiskName = "lazyfs" | "unsynced";

export const DISK_NAMES: readonly DiskName[] = ["unsynced", "lazyfs"];

/** Of LazyFS, which program. */
export interface LazyFsDisk {
  readonly lazyfs: string;
}

/** `unsynced`: in the memory of a node's process. */
export type Disk = "unsynced" | LazyFsDisk;

/** @throws LazyFsMissingError */
export async function diskNamed(name: DiskName, program: string | undefined): Promise<Disk> {
  return name === "unsynced" ? name : { lazyfs: await tryLazyFs(program) };
}
