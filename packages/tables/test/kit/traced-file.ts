/**
 * What a process did to one file, as strace has seen it; and what a disk may hold when the machine
 * stops in the middle: all that was synced, and of the rest any sectors.
 */

import type { Prng } from "@quorumlog/std";

/** What strace has to be told: hexadecimal strings as long as any write, and paths of files. */
export const TRACE_FLAGS: readonly string[] = [
  "-f",
  "-y",
  "-xx",
  "-s4194304",
  "-etrace=openat,lseek,pwrite64,pwritev,write,writev,fdatasync,fsync,ftruncate,msync",
];

export type FileEvent =
  | {
      readonly kind: "write";
      readonly at: number;
      readonly bytes: Buffer;
      readonly isSynced: boolean;
    }
  | { readonly kind: "sync" }
  /** A line on the standard output. */
  | { readonly kind: "said"; readonly text: string };

const SECTOR_BYTES = 512;
const CALL =
  /^\d+ +(?<name>\w+)\((?<fd>\d+)<(?<path>[^>]*)>,? ?(?<rest>.*)\) += (?<result>-?\d+)/su;
const OPENED = /^\d+ +openat\(.*, (?<flags>O_[\w|]+)(?:, \d+)?\) += (?<fd>\d+)<(?<path>[^>]*)>/su;

export function parseTrace(trace: string, fileName: string): FileEvent[] {
  const file = new TracedFile(hexOf(fileName));
  for (const line of wholeLines(trace)) file.onLine(line);
  return file.events;
}

class TracedFile {
  readonly events: FileEvent[] = [];
  readonly #suffix: string;
  /** Descriptors whose writes are on the disk when they return. */
  readonly #synced = new Set<string>();
  /** Where a descriptor writes next. */
  readonly #places = new Map<string, number>();

  constructor(suffix: string) {
    this.#suffix = suffix;
  }

  onLine(line: string): void {
    const opened = OPENED.exec(line)?.groups;
    if (opened !== undefined) this.#onOpened(opened);
    const call = CALL.exec(line)?.groups;
    if (call === undefined) return;
    const { name = "", fd = "", path = "", rest = "", result = "" } = call;
    if (path.endsWith(this.#suffix)) this.#onCall(name, { fd, rest, result: Number(result) });
    else if (fd === "1" && name === "write")
      this.events.push({ kind: "said", text: stringsIn(rest).toString() });
  }

  #onOpened({ fd = "", path = "", flags = "" }: Record<string, string | undefined>): void {
    this.#synced.delete(fd);
    if (path.endsWith(this.#suffix) && flags.includes("SYNC")) this.#synced.add(fd);
  }

  #onCall(name: string, call: { fd: string; rest: string; result: number }): void {
    const { fd, rest, result } = call;
    const isSynced = this.#synced.has(fd);
    if (name === "lseek") this.#places.set(fd, result);
    else if (name === "fdatasync" || name === "fsync") this.events.push({ kind: "sync" });
    else if (name === "write" || name === "writev") {
      const at = this.#places.get(fd) ?? 0;
      this.#places.set(fd, at + result);
      this.events.push({ kind: "write", at, bytes: stringsIn(rest), isSynced });
    } else if (name === "pwrite64" || name === "pwritev") {
      const at = Number(/, (?<at>\d+)$/u.exec(rest)?.groups?.["at"]);
      this.events.push({ kind: "write", at, bytes: stringsIn(rest), isSynced });
    } else throw new Error(`${name}: not foreseen`);
  }
}

/** @param keep - Whether a sector that was written and not synced is on the disk. */
export function diskAfter(events: readonly FileEvent[], keep: () => boolean): Buffer {
  let disk = Buffer.alloc(0);
  let cached: { at: number; bytes: Buffer }[] = [];
  const put = (at: number, bytes: Buffer): void => {
    if (disk.length < at + bytes.length)
      disk = Buffer.concat([disk, Buffer.alloc(at + bytes.length - disk.length)]);
    disk.set(bytes, at);
  };
  for (const event of events)
    if (event.kind === "sync") {
      for (const { at, bytes } of cached) put(at, bytes);
      cached = [];
    } else if (event.kind === "write" && event.isSynced) put(event.at, event.bytes);
    else if (event.kind === "write") cached.push({ at: event.at, bytes: event.bytes });
  for (const { at, bytes } of cached)
    for (let start = 0; start < bytes.length; start += SECTOR_BYTES)
      if (keep()) put(at + start, bytes.subarray(start, start + SECTOR_BYTES));
  return disk;
}

/** The ways in which a disk may stop: nothing more, everything, and any part. */
export function lossesOf(prng: Prng): (() => boolean)[] {
  return [() => false, () => true, () => prng.chance(0.5)];
}

/** Calls of several threads interrupt each other. */
function wholeLines(trace: string): string[] {
  const begun = new Map<string, string>();
  return trace.split("\n").flatMap((line) => {
    const pid = line.split(" ", 1)[0] ?? "";
    if (line.endsWith("<unfinished ...>")) {
      begun.set(pid, line.slice(0, -"<unfinished ...>".length).trimEnd());
      return [];
    }
    const resumed = /<\.\.\. \w+ resumed>(?<rest>.*)$/su.exec(line)?.groups?.["rest"];
    return [resumed === undefined ? line : (begun.get(pid) ?? "") + resumed];
  });
}

function stringsIn(rest: string): Buffer {
  const strings = Array.from(rest.matchAll(/"(?<hex>(?:\\x[0-9a-f]{2})*)"/gu), ({ groups }) => {
    return Buffer.from((groups?.["hex"] ?? "").replaceAll("\\x", ""), "hex");
  });
  return Buffer.concat(strings);
}

function hexOf(text: string): string {
  return [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}
