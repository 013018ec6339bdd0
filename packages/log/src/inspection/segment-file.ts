/** The segment files of a directory, as they lie there, read whole and one at a time. */

import { join } from "node:path";
import type { FileSystem } from "../file-system.ts";
import {
  decodeSegmentHeader,
  frameSeed,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from "../segment-header.ts";
import { segmentIdOf } from "../segment-maker.ts";

export interface SegmentFile {
  readonly name: string;
  readonly header: SegmentHeader;
  readonly formatVersion: number;
  readonly seed: number;
  /** Of the file: another number than its header says is damage. */
  readonly fileBytes: number;
  /** What there is of it, up to what the header says. */
  readonly bytes: Buffer;
}

/** Of the block that `segment-header.ts` describes. */
const FORMAT_VERSION_AT = 8;

export function segmentNamesIn(fileSystem: FileSystem, directory: string): readonly string[] {
  return (fileSystem.list(directory) ?? []).filter((name) => segmentIdOf(name) !== undefined);
}

/** @throws LogError `LOG_CORRUPT` or `LOG_VERSION` for its header; an error of the system. */
export function readSegmentFile(fileSystem: FileSystem, path: string, name: string): SegmentFile {
  const file = fileSystem.open(join(path, name), "read");
  try {
    const block = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const read = file.readNow(block, 0);
    const header = decodeSegmentHeader(block.subarray(0, read), file.path);
    const fileBytes = file.size();
    const bytes = Buffer.allocUnsafe(Math.min(fileBytes, header.segmentBytes));
    return {
      name,
      header,
      formatVersion: block.readUInt16LE(FORMAT_VERSION_AT),
      seed: frameSeed(header),
      fileBytes,
      bytes: bytes.subarray(0, file.readNow(bytes, 0)),
    };
  } finally {
    file.close();
  }
}
