/** The disks of a cluster's nodes, each a mount of LazyFS of its own. */

import { required } from "@quorumlog/std";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { LazyMount } from "./lazy-mount.ts";

export class LazyDisks {
  readonly #mounts: ReadonlyMap<number, LazyMount>;

  private constructor(mounts: ReadonlyMap<number, LazyMount>) {
    this.#mounts = mounts;
  }

  /**
   * @param folders - By node; each becomes a mount.
   * @throws Error if one does not: none is left then
   */
  static async open(program: string, folders: ReadonlyMap<number, string>): Promise<LazyDisks> {
    const mounts = new Map<number, LazyMount>();
    const disks = new LazyDisks(mounts);
    try {
      for (const [nodeId, folder] of folders)
        mounts.set(nodeId, await LazyMount.open(program, folder));
      return disks;
    } catch (error) {
      await disks.close();
      throw error;
    }
  }

  unsyncedBytes(nodeId: number): number {
    return this.#of(nodeId).unsyncedBytes();
  }

  /** Of a node that is dead. @returns how many bytes it took away. */
  losePower(nodeId: number): Promise<number> {
    return this.#of(nodeId).losePower();
  }

  /** Removes all that a node has there. */
  wipe(nodeId: number): void {
    const { path } = this.#of(nodeId);
    for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true });
  }

  /** Unmounts all; what is on the disk stays. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([...this.#mounts.values()].map((mount) => mount.close()));
  }

  #of(nodeId: number): LazyMount {
    return required(this.#mounts.get(nodeId), "a node that has a disk");
  }
}
