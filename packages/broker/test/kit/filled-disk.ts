/** The machine's disk, as full as a test says. */

import { type FileSystem, nodeFileSystem } from "@quorumlog/log";

export class FilledDisk {
  freeBytes: number;
  readonly totalBytes: number;
  readonly fileSystem: FileSystem = {
    ...nodeFileSystem,
    freeBytes: () => this.freeBytes,
    totalBytes: () => this.totalBytes,
  };

  constructor(totalBytes: number) {
    this.totalBytes = totalBytes;
    this.freeBytes = totalBytes;
  }
}
