// Goal: lost entries come only from those who know them to be committed, and only what was there
// is taken. Method: a server over a log in memory; a fetcher whose peers are scripted, on virtual
// time.

import { type LogEntry, LogError, type WantedEntries } from "@quorumlog/log";
import { VirtualTime } from "@quorumlog/transport/testing";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type EntriesRefusal, EntryFetcher } from "../src/entry-fetcher.ts";
import { EntryServer } from "../src/entry-server.ts";
import type { EntriesReply, EntriesRequest } from "../src/entry-transfer.ts";
import { decodeEnvelope, type Envelope, encodeEnvelope } from "../src/peer-envelope.ts";

function entry(index: number, term = 2): LogEntry {
  const data = new Uint8Array(20).fill(index);
  return {
    index,
    term,
    kind: index === 7 ? "configuration" : "normal",
    data,
    checksum: crc32(data),
  };
}

function server(parts: { readonly damaged?: number; readonly commitIndex?: number } = {}) {
  return new EntryServer({
    base: () => ({ index: 4 }),
    commitIndex: () => parts.commitIndex ?? 8,
    term: (index) => (index >= 4 && index <= 10 ? 2 : undefined),
    entries: ({ low, high }) => {
      if (low === parts.damaged) throw new LogError("LOG_CORRUPT", "damaged");
      return Array.from({ length: high - low }, (_, i) => entry(low + i));
    },
  });
}

describe("a node that is asked", () => {
  test("says of which entries it is not sure", () => {
    const source = {
      base: () => ({ index: 0 }),
      commitIndex: () => 9,
      term: () => 2,
      isFinal: (index: number) => index < 5,
      entries: ({ low, high }: { low: number; high: number }) =>
        Array.from({ length: high - low }, (_, i) => entry(low + i)),
    };
    const sure = new EntryServer(source).answer({ number: 1, low: 3, high: 9 });
    expect([sure.verdict, sure.entries.length]).toEqual(["entries", 2]);
    const rest = new EntryServer(source).answer({ number: 1, low: 5, high: 9 });
    expect([rest.verdict, rest.entries.length]).toEqual(["unsure", 4]);
  });

  test("gives what it knows to be committed, and no more", () => {
    const reply = server().answer({ number: 1, low: 6, high: 11 });
    expect(reply.entries.map(({ index }) => index)).toEqual([6, 7, 8]);
    expect(reply).toMatchObject({ number: 1, low: 6, verdict: "entries", previousTerm: 2 });
  });

  test.each([
    ["later", { number: 1, low: 9, high: 11 }],
    ["trimmed", { number: 1, low: 4, high: 11 }],
    ["damaged", { number: 1, low: 5, high: 6 }],
    ["later", { number: 1, low: 6, high: 6 }],
  ])("says why it does not: %s", (verdict, request) => {
    const reply = server({ damaged: 5 }).answer(request);
    expect(reply).toMatchObject({ verdict, entries: [] });
  });
});

test("what is said survives the wire, and nothing else is taken for it", () => {
  const said: Envelope[] = [
    { kind: "entriesRequest", number: 7, low: 5, high: 2 ** 40 },
    { kind: "entriesReply", ...server().answer({ number: 7, low: 6, high: 9 }) },
    { kind: "entriesReply", ...server().answer({ number: 7, low: 2, high: 9 }) },
  ];
  for (const envelope of said) {
    const bytes = Buffer.concat(encodeEnvelope(envelope));
    expect(plain(decodeEnvelope(bytes))).toEqual(plain(envelope));
    for (let at = 0; at < bytes.length; at++) {
      const torn = Buffer.from(bytes);
      torn[at] = (torn[at] ?? 0) ^ 0x40;
      expect(plain(decodeEnvelope(torn))).not.toEqual(plain(envelope));
      expect(decodeEnvelope(bytes.subarray(0, at))).toBe(undefined);
    }
  }
});

/** A view of bytes and a copy of them are the same. */
function plain(envelope: Envelope | undefined): unknown {
  if (envelope?.kind !== "entriesReply") return envelope;
  const entries = envelope.entries.map((each) => ({ ...each, data: [...each.data] }));
  return { ...envelope, entries };
}

type Script = (request: EntriesRequest) => EntriesReply | "silence" | "unreachable";

class Peers {
  readonly time = new VirtualTime();
  readonly asked: number[] = [];
  readonly vain: (readonly EntriesRefusal[])[] = [];
  readonly fetcher: EntryFetcher;
  answer: readonly LogEntry[] | Error | undefined;

  constructor(scripts: ReadonlyMap<number, Script>) {
    this.fetcher = new EntryFetcher({
      peers: () => [...scripts.keys()],
      send: (to, request) => {
        this.asked.push(to);
        const reply = scripts.get(to)?.(request);
        if (reply === undefined || reply === "unreachable") return false;
        if (reply !== "silence") this.time.after(1, () => this.fetcher.onReply(to, reply));
        return true;
      },
      now: () => this.time.now(),
      after: (delayMs, run) => void this.time.after(delayMs, run),
      firstNumber: 1_000,
      onVain: (_range, refusals) => this.vain.push(refusals),
    });
  }

  fetch(wanted: Partial<WantedEntries> = {}): void {
    const all = {
      low: 6,
      high: 9,
      previous: undefined,
      hasTerms: false,
      problemWith: problemOf,
      ...wanted,
    };
    this.fetcher.fetch(all, (answer) => {
      this.answer = answer;
    });
  }
}

function problemOf([first]: readonly LogEntry[]): string | undefined {
  const isSound = first !== undefined && crc32(first.data) === first.checksum;
  return isSound ? undefined : "it is damaged";
}

const sound: Script = (request) => server().answer(request);
const damaged: Script = (request) => server({ damaged: 6 }).answer(request);
const behind: Script = (request) => server({ commitIndex: 5 }).answer(request);
const unsure: Script = (request) => {
  return { ...(sound(request) as EntriesReply), verdict: "unsure" };
};
const lying: Script = (request) => {
  const reply = sound(request) as EntriesReply;
  return {
    ...reply,
    entries: reply.entries.map((each) => ({ ...each, data: new Uint8Array(20) })),
  };
};

/** Whether it takes what a peer gives that is not sure. */
function isTaken(wanted: Partial<WantedEntries>): boolean {
  const peers = new Peers(new Map([[2, unsure]]));
  peers.fetch(wanted);
  peers.time.pass(10_000);
  return peers.answer !== undefined;
}

describe("a node that asks", () => {
  test.each<[string, Script]>([
    ["refuses", damaged],
    ["sends wrong bytes", lying],
    ["says nothing", () => "silence"],
    ["cannot be reached", () => "unreachable"],
    ["is behind", behind],
  ])("asks the next one when one %s", (_what, script) => {
    const peers = new Peers(
      new Map([
        [2, script],
        [3, sound],
      ]),
    );
    peers.fetch();
    peers.time.pass(3_000);
    expect(peers.answer).toHaveLength(3);
    expect(peers.asked).toEqual([2, 3]);
  });

  test("asks whoever gave something first the next time", () => {
    const peers = new Peers(
      new Map([
        [2, damaged],
        [3, sound],
      ]),
    );
    peers.fetch();
    peers.time.pass(100);
    peers.fetch();
    peers.time.pass(100);
    expect(peers.asked).toEqual([2, 3, 3]);
  });

  test("gives up when all have said for a while that they do not have it", () => {
    const peers = new Peers(
      new Map([
        [2, damaged],
        [3, lying],
      ]),
    );
    peers.fetch();
    peers.time.pass(2_000);
    expect(peers.answer).toBe(undefined);
    expect(peers.vain.at(-1)?.map(({ nodeId }) => nodeId)).toEqual([2, 3]);
    peers.time.pass(2_000);
    const { message } = peers.answer as unknown as Error;
    expect(message).toContain("nobody has entry 6: node 2: they are damaged there");
    expect(message).toContain("node 3: it sent what cannot be");
  });

  test("waits for those who may have it yet", () => {
    let script: Script = behind;
    const peers = new Peers(
      new Map<number, Script>([
        [2, damaged],
        [3, (request) => script(request)],
      ]),
    );
    peers.fetch();
    peers.time.pass(60_000);
    expect(peers.answer).toBe(undefined);
    script = sound;
    peers.time.pass(1_000);
    expect(peers.answer).toHaveLength(3);
  });

  test("takes from one who is not sure only what it knows the terms of", () => {
    expect(isTaken({ hasTerms: true })).toBe(true);
    expect(isTaken({ hasTerms: false })).toBe(false);
    expect(isTaken({ hasTerms: true, previous: { index: 5, term: 1 } })).toBe(false);
  });

  test("notices that what it has before them was replaced", () => {
    const peers = new Peers(new Map([[2, sound]]));
    peers.fetch({ previous: { index: 5, term: 1 } });
    peers.time.pass(100);
    expect(peers.answer).toMatchObject({ name: "PrecededOtherwise" });
  });
});
