/** `dump`: the frames of a log as lines, one segment in memory at a time. */

import { EntryTable } from "../entry-table.ts";
import type { FileSystem } from "../file-system.ts";
import { FRAME_KIND } from "../frame.ts";
import { decodeMark, decodeState, type LogMark, type StreamPosition } from "../log-mark.ts";
import { isEntry } from "../segment.ts";
import { type WalkedFrame, type WalkedGap, walkFrames } from "./frame-walk.ts";
import { jsonOf } from "./output.ts";
import type { DumpRequest } from "./request.ts";
import { readSegmentFile, segmentNamesIn } from "./segment-file.ts";

/** What a payload says, by the names of the format; empty for that of an entry. */
type Content = Readonly<Record<string, unknown>>;

const KIND_NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(FRAME_KIND).map(([name, kind]) => [kind, name]),
);

const HEX_ROW_BYTES = 32;

export interface FrameListingInit {
  readonly fileSystem: FileSystem;
  readonly request: DumpRequest;
  /** A file that cannot be read at all; the next one follows. */
  readonly onUnreadable: (name: string, error: unknown) => void;
}

export function* listFrames(init: FrameListingInit): Generator<string, void> {
  const { fileSystem, request, onUnreadable } = init;
  const { directory, from, countMax, isHex, isJson } = request;
  let isReached = from === undefined;
  let count = 0;
  if (!isJson) yield titleLine();
  for (const name of segmentNamesIn(fileSystem, directory)) {
    let file;
    try {
      file = readSegmentFile(fileSystem, directory, name);
    } catch (error) {
      onUnreadable(name, error);
      continue;
    }
    for (const step of walkFrames(file.bytes, file.seed)) {
      isReached ||=
        step.what === "frame" && isEntry(step.header) && step.header.index >= (from ?? 0);
      if (!isReached) continue;
      if (count === countMax) return;
      count += 1;
      if (isJson) yield jsonOf(objectOf(name, step, isHex));
      else yield lineOf(name, step);
      if (isHex && !isJson && step.what === "frame") yield* hexLines(step.payload);
    }
  }
}

function objectOf(file: string, step: WalkedFrame | WalkedGap, isHex: boolean): Content {
  const { offset } = step;
  if (step.what === "gap") return { file, offset, kind: "unreadable", bytes: step.end - offset };
  const { header, payload, isPayloadSound } = step;
  const { kind, term, index, length } = header;
  return {
    file,
    offset,
    kind: KIND_NAMES[kind],
    term,
    index,
    bytes: length,
    isSound: isPayloadSound,
    ...(isPayloadSound ? contentOf(kind, payload) : {}),
    ...(isHex ? { hex: payload.toString("hex") } : {}),
  };
}

/** What it says, if it is no entry. */
function contentOf(kind: number, payload: Buffer): Content {
  if (kind === FRAME_KIND.state) {
    const state = decodeState(payload);
    if (state === undefined) return {};
    const { hardState, base, isReset, syncedThrough } = state;
    const { currentTerm, votedFor, commitIndex } = hardState;
    const { term, index, configuration } = base;
    return {
      currentTerm,
      votedFor,
      commitIndex,
      syncedThrough,
      base: { term, index, configurationBytes: configuration.byteLength },
      isReset,
    };
  }
  if (kind === FRAME_KIND.mark) return { ...decodeMark(payload) };
  if (kind !== FRAME_KIND.footer) return {};
  const table = EntryTable.decode(payload);
  if (table === undefined) return {};
  const { count, firstIndex, lastIndex } = table;
  return count === 0 ? { count } : { count, firstIndex, lastIndex };
}

function titleLine(): string {
  return columns(["file", "offset", "kind", "term", "index", "bytes"], "");
}

function lineOf(file: string, step: WalkedFrame | WalkedGap): string {
  if (step.what === "gap") {
    const bytes = step.end - step.offset;
    return columns(
      [file, step.offset, "unreadable", "-", "-", bytes],
      "no sound frame: see verify",
    );
  }
  const { offset, header, payload, isPayloadSound } = step;
  const { kind, term, index, length } = header;
  const said = isPayloadSound ? describe(kind, payload) : "the payload is damaged: see verify";
  return columns([file, offset, KIND_NAMES[kind] ?? kind, term, index, length], said);
}

function columns(cells: readonly (string | number)[], said: string): string {
  const [file, offset, kind, term, index, bytes] = cells.map(String);
  const place = `${file?.padEnd(20)} ${offset?.padStart(10)}  ${kind?.padEnd(18)}`;
  const numbers = `${term?.padStart(6)} ${index?.padStart(10)} ${bytes?.padStart(8)}`;
  return `${place} ${numbers}  ${said}`.trimEnd();
}

function describe(kind: number, payload: Buffer): string {
  if (kind === FRAME_KIND.state) {
    const state = decodeState(payload);
    if (state === undefined) return "of a later version";
    const { hardState, base, isReset } = state;
    const { currentTerm, votedFor } = hardState;
    const promise = `currentTerm=${currentTerm} votedFor=${votedFor ?? "-"}`;
    const place = `base=${base.term}/${base.index} configuration=${base.configuration.byteLength}B`;
    return `${promise} ${known({ ...hardState, ...state })} ${place}${isReset ? " reset" : ""}`;
  }
  if (kind === FRAME_KIND.mark) {
    const mark = decodeMark(payload);
    return mark === undefined ? "of a later version" : known(mark);
  }
  if (kind !== FRAME_KIND.footer) return "";
  const table = EntryTable.decode(payload);
  if (table === undefined) return "of a later version";
  return table.count === 0 ? "no entries" : `entries ${table.firstIndex} to ${table.lastIndex}`;
}

function known({ commitIndex, syncedThrough }: LogMark): string {
  return `commitIndex=${commitIndex} syncedThrough=${placeOf(syncedThrough)}`;
}

function placeOf({ segmentId, offset }: StreamPosition): string {
  return `${segmentId.toString(16)}:${offset}`;
}

function* hexLines(payload: Buffer): Generator<string, void> {
  for (let at = 0; at < payload.length; at += HEX_ROW_BYTES) {
    const row = payload.subarray(at, at + HEX_ROW_BYTES);
    const hex = row.toString("hex").replaceAll(/(?<pair>..)(?!$)/g, "$<pair> ");
    const text = row.toString("latin1").replaceAll(/[^\x20-\x7e]/g, ".");
    const place = at.toString(16).padStart(8, "0");
    yield `    ${place}  ${hex.padEnd(HEX_ROW_BYTES * 3 - 1)}  ${text}`;
  }
}
