// Goal: however slow the link, however many ask at once, whatever is lost, full or damaged, a
// snapshot arrives or its transfer ends, and nothing is sent over and over.
// Method: the sender of a leader and the fetchers of its followers, with real stores, on virtual
// time; the core of a leader is played by hand.

import type { InstallSnapshot } from "@quorumlog/raft";
import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng } from "@quorumlog/std";
import { VirtualTime } from "@quorumlog/transport/testing";
import { describe, expect, test } from "vitest";
import type { SnapshotPart } from "../src/peer-envelope.ts";
import { encodeDescriptor } from "../src/snapshot-descriptor.ts";
import type { SnapshotError } from "../src/snapshot-error.ts";
import { SnapshotFetcher } from "../src/snapshot-fetcher.ts";
import { SnapshotSender } from "../src/snapshot-sender.ts";
import { SnapshotStore } from "../src/snapshot-store.ts";
import { voting } from "./kit/configurations.ts";
import { stateAt } from "./kit/snapshots.ts";

const KIB = 1_024;
const MIB = 1_024 * KIB;
const INDEX = 9;
const LEADER = 99;
const TICK_MS = 10;
const HEARTBEAT_MS = 50;
const LATENCY_MS = 1;

interface LinkInit {
  readonly bytesPerSecond?: number;
  readonly followers?: number;
  readonly stateBytes?: number;
  /** Of the link to a follower; default none. */
  readonly linkBytesPerSecond?: number;
  /** Chance that a frame is lost. */
  readonly loss?: number;
}

class Disk {
  readonly fileSystem: MemoryFileSystem;
  readonly store: SnapshotStore;
  readonly failures: SnapshotError[] = [];

  constructor(time: VirtualTime, seed: number) {
    this.fileSystem = new MemoryFileSystem({
      prng: new Prng(seed),
      schedule: (run) => time.after(0.1, run),
    });
    this.store = SnapshotStore.open({
      fileSystem: this.fileSystem,
      directory: "/group",
      clusterId: "test",
      groupId: 0,
      onFailure: (error) => this.failures.push(error),
    });
  }

  get path(): string {
    return `/group/snapshots/${this.fileSystem.list("/group/snapshots")?.[0] ?? ""}`;
  }
}

class Follower extends Disk {
  readonly fetcher: SnapshotFetcher;
  readonly failed: Error[] = [];
  readonly installed: InstallSnapshot[] = [];
  linkFreeAt = 0;

  constructor(time: VirtualTime, seed: number, transfers: Transfers) {
    super(time, seed);
    this.fetcher = new SnapshotFetcher({
      snapshots: this.store,
      now: () => time.now(),
      request: (from, part) => {
        transfers.toLeader(() => {
          if (from === LEADER) transfers.sender.onRequest(seed, part);
        });
      },
      end: (to, part) => {
        transfers.toLeader(() => {
          if (to === LEADER) transfers.sender.onEnd(seed, part);
        });
      },
      install: (message) => this.installed.push(message),
      onEvent: (event) => {
        if (event.type === "snapshotFailed") this.failed.push(event.error);
      },
      guarded: (run) => {
        run();
      },
    });
  }
}

/** A leader that has one snapshot, and followers that need it. */
class Transfers {
  readonly time = new VirtualTime();
  readonly leader = new Disk(this.time, 100);
  readonly followers: Follower[];
  readonly sender: SnapshotSender;
  readonly #init: LinkInit;
  readonly #prng = new Prng(7);
  sentBytes = 0;
  readonly reports: [to: number, outcome: string][] = [];
  readonly damaged: Error[] = [];
  /** The leader's log begins behind another one by now. */
  base = INDEX;

  constructor(init: LinkInit = {}) {
    this.#init = init;
    const { bytesPerSecond = 256 * MIB, followers = 1, stateBytes = MIB } = init;
    this.write(INDEX, stateBytes);
    this.sender = new SnapshotSender({
      snapshots: this.leader.store,
      bytesPerSecond,
      now: () => this.time.now(),
      after: (delayMs, run) => {
        this.time.after(delayMs, run);
      },
      send: (to, part, bytes) => this.#send(to, part, bytes),
      report: (to, outcome) => {
        this.reports.push([to, outcome]);
        if (outcome === "failed") this.time.after(HEARTBEAT_MS, () => this.tell(to));
      },
      onEvent: (event) => {
        if (event.type === "snapshotFailed") this.damaged.push(event.error);
      },
    });
    this.followers = Array.from({ length: followers }, (_, i) => {
      return new Follower(this.time, i, this);
    });
    this.#tick();
    for (const to of this.followers.keys()) this.tell(to);
  }

  write(index: number, stateBytes: number): void {
    const position = { index, term: 1, configuration: voting(1, 2, 3) };
    this.leader.store.write(position, [stateAt(index, stateBytes)], () => undefined);
    this.time.pass(1_000);
  }

  /** As the core does when it finds that a follower needs what the log begins behind. */
  tell(to: number): void {
    const meta = this.leader.store.list().find(({ index }) => index === this.base);
    if (meta === undefined) return;
    this.sender.begin(to, this.base);
    const message = this.message(meta.index, meta.bytes);
    this.#later(() => {
      this.followers[to]?.fetcher.begin(message);
    });
  }

  message(index: number, bytes: number, from = LEADER): InstallSnapshot {
    return {
      type: "InstallSnapshot",
      from,
      to: 1,
      fromIncarnation: 1,
      toIncarnation: 1,
      term: 1,
      snapshot: {
        lastIncludedIndex: index,
        lastIncludedTerm: 1,
        configuration: voting(1, 2, 3),
        data: encodeDescriptor(bytes),
      },
    };
  }

  get fileBytes(): number {
    return this.leader.store.newest()?.bytes ?? 0;
  }

  get first(): Follower {
    return this.followers[0] as Follower;
  }

  /** @returns whether all have it within so many seconds. */
  pass(seconds: number): boolean {
    const isDone = (): boolean => this.followers.every(({ installed }) => installed.length > 0);
    return this.time.passUntil(isDone, seconds * 1_000);
  }

  toLeader(run: () => void): void {
    this.#later(run);
  }

  #later(run: () => void, delayMs = LATENCY_MS): void {
    if (this.#prng.chance(this.#init.loss ?? 0)) return;
    this.time.after(delayMs, run);
  }

  #send(to: number, part: SnapshotPart, bytes: Uint8Array): boolean {
    const follower = this.followers[to] as Follower;
    const now = this.time.now();
    const { linkBytesPerSecond = Number.POSITIVE_INFINITY } = this.#init;
    this.sentBytes += bytes.byteLength;
    follower.linkFreeAt =
      Math.max(follower.linkFreeAt, now) + (bytes.byteLength / linkBytesPerSecond) * 1_000;
    this.#later(
      () => {
        follower.fetcher.onChunk(part, bytes);
      },
      follower.linkFreeAt - now + LATENCY_MS,
    );
    return true;
  }

  #tick(): void {
    this.sender.tick(this.time.now());
    for (const { fetcher } of this.followers) fetcher.tick(this.time.now());
    this.time.after(TICK_MS, () => {
      this.#tick();
    });
  }
}

const RATES = [64 * KIB, 512 * KIB, 2 * MIB, 4 * MIB];

describe.each([1, 3, 6])("with %d followers", (followers) => {
  test.each(RATES)("a snapshot arrives at %d bytes per second, at that rate", (bytesPerSecond) => {
    const stateBytes = Math.min(2 * MIB, 8 * bytesPerSecond);
    const transfers = new Transfers({ bytesPerSecond, followers, stateBytes });
    const ideal = (followers * transfers.fileBytes) / bytesPerSecond;

    expect(transfers.pass(1.3 * ideal + 1)).toBe(true);

    expect(transfers.time.now()).toBeGreaterThan(900 * ideal);
    expect(transfers.sentBytes).toBe(followers * transfers.fileBytes);
    transfers.time.pass(100);
    expect(transfers.reports.map(([, outcome]) => outcome)).toEqual(
      Array.from({ length: followers }, () => "finished"),
    );
  });
});

describe("a link", () => {
  test("that is slower than the rate gets little twice", () => {
    const transfers = new Transfers({ linkBytesPerSecond: 100 * KIB, stateBytes: 4 * MIB });

    expect(transfers.pass(90)).toBe(true);

    expect(transfers.sentBytes).toBeLessThan(1.5 * transfers.fileBytes);
  });

  test("that loses a tenth of the frames holds nothing up for long", () => {
    const transfers = new Transfers({ loss: 0.1, stateBytes: 4 * MIB });

    expect(transfers.pass(120)).toBe(true);
  });

  test("that takes nothing for a moment is asked again, and nobody else waits for it", () => {
    const transfers = new Transfers({ followers: 2 });
    let isFull = true;
    transfers.time.after(3_000, () => {
      isFull = false;
    });
    const { sender } = transfers;
    const taken: number[] = [];
    const busy = new SnapshotSender({
      snapshots: transfers.leader.store,
      bytesPerSecond: MIB,
      now: () => transfers.time.now(),
      after: (delayMs, run) => {
        transfers.time.after(delayMs, run);
      },
      send: (to) => {
        if (to === 0 && isFull) return false;
        taken.push(to);
        return true;
      },
      report: () => undefined,
      onEvent: () => undefined,
    });
    for (const to of [0, 1]) {
      busy.begin(to, INDEX);
      busy.onRequest(to, { index: INDEX, term: 1, offset: 0 });
    }
    transfers.time.pass(500);
    expect(taken).toEqual([1]);
    transfers.time.pass(3_000);

    expect(taken).toEqual([1, 0]);
    sender.close();
  });

  test("that was lost and is back goes on at once", () => {
    const transfers = new Transfers({ bytesPerSecond: 512 * KIB });
    transfers.time.pass(500);
    const { offset } = transfers.first.store.receive({
      index: INDEX,
      term: 1,
      bytes: transfers.fileBytes,
    });
    expect(offset).toBeGreaterThan(0);

    transfers.sender.fail(0);

    expect(transfers.pass(2.2)).toBe(true);
    expect(transfers.sentBytes).toBeLessThan(transfers.fileBytes + 128 * KIB);
  });
});

/** Of a leader whose snapshot has a wrong bit in its third chunk. */
function damaged(): Transfers {
  const transfers = new Transfers({ bytesPerSecond: 4 * MIB });
  const at = 4_096 + 2 * (8 + 256 * KIB) + 100;
  const byte = transfers.leader.fileSystem.bytesOf(transfers.leader.path)[at] ?? 0;
  transfers.leader.fileSystem.damage(transfers.leader.path, at, Uint8Array.of(byte ^ 1));
  return transfers;
}

describe("a snapshot whose file is damaged", () => {
  test("on the sender is sent a few times, then said to be, and no more", () => {
    const transfers = damaged();

    transfers.time.pass(60_000);

    expect(transfers.sentBytes).toBeLessThan(4 * MIB);
    expect(transfers.first.failed).toMatchObject([{ code: "SNAPSHOT_CORRUPT" }]);
    expect(transfers.reports[0]).toEqual([0, "failed"]);
    expect(transfers.damaged[0]).toMatchObject({
      code: "SNAPSHOT_CORRUPT",
      file: transfers.leader.path,
    });
    expect(transfers.leader.store.list()).toEqual([]);
    expect(transfers.leader.store.damaged()).toHaveLength(1);
    expect(transfers.leader.fileSystem.list("/group/snapshots")).toHaveLength(1);
  });

  test("goes on from another leader, from where it was", () => {
    const transfers = damaged();
    transfers.time.pass(5_000);
    const sound = new Transfers();
    const bytes = sound.leader.fileSystem.bytesOf(sound.leader.path);
    const { fetcher } = transfers.first;
    const offer = { index: INDEX, term: 1, bytes: bytes.length };
    const { offset } = transfers.first.store.receive(offer);
    expect(offset).toBeGreaterThan(500 * KIB);

    fetcher.begin(transfers.message(INDEX, bytes.length, 98));
    fetcher.onChunk({ index: INDEX, term: 1, offset }, bytes.subarray(offset));
    transfers.time.pass(100);

    expect(transfers.first.installed.map(({ from }) => from)).toEqual([98]);
  });

  test("on the way is asked for again, and the sender's is found to be sound", () => {
    const transfers = new Transfers({ bytesPerSecond: MIB });
    const { fetcher } = transfers.first;
    const wrong = Buffer.alloc(256 * KIB, 1);
    let isWrong = true;
    const onChunk = fetcher.onChunk.bind(fetcher);
    fetcher.onChunk = (part, bytes) => {
      onChunk(part, isWrong ? wrong.subarray(0, bytes.byteLength) : bytes);
    };
    transfers.time.pass(5_000);
    expect(transfers.first.failed).toHaveLength(1);
    isWrong = false;

    expect(transfers.pass(30)).toBe(true);

    expect([transfers.damaged, transfers.leader.store.list().length]).toEqual([[], 1]);
  });

  test("on a receiver that was about to install it is fetched again", () => {
    const transfers = new Transfers();
    expect(transfers.pass(5)).toBe(true);
    const { first } = transfers;
    first.fileSystem.damage(first.path, 4_200, Uint8Array.of(1, 2, 3));

    first.installed.length = 0;
    transfers.tell(0);

    expect(transfers.pass(5)).toBe(true);
    expect(first.failed).toMatchObject([{ code: "SNAPSHOT_CORRUPT" }]);
    expect(first.store.verify(INDEX)).toBeUndefined();
    expect(first.store.damaged()).toEqual([]);
  });
});

describe("a receiver", () => {
  test("whose disk is full gives up, and begins again when there is room", () => {
    const transfers = new Transfers({ bytesPerSecond: MIB });
    const { first } = transfers;
    let writes = 0;
    first.fileSystem.fault = ({ operation }) => {
      if (operation !== "write") return undefined;
      writes += 1;
      return writes < 3 ? undefined : Object.assign(new Error("full"), { code: "ENOSPC" });
    };
    transfers.time.pass(25_000);

    expect(first.failed[0]).toMatchObject({ code: "SNAPSHOT_NO_SPACE" });
    expect(first.failed).toHaveLength(3);
    expect(transfers.sentBytes).toBeLessThan(2 * MIB);
    expect([first.failures, first.store.isOpen()]).toEqual([[], true]);
    expect(first.fileSystem.list("/group/snapshots")).toEqual([]);
    first.fileSystem.fault = undefined;
    expect(transfers.pass(30)).toBe(true);
  });

  test("without room for all of it does not begin", () => {
    const transfers = new Transfers();
    const { first } = transfers;
    first.fileSystem.freeBytes = () => transfers.fileBytes - 1;
    transfers.time.pass(5_000);

    expect(first.failed).toMatchObject([{ code: "SNAPSHOT_NO_SPACE" }]);
    expect(transfers.sentBytes).toBe(0);
  });

  test("whose disk fails stops its node", () => {
    const transfers = new Transfers();
    const { first } = transfers;
    first.fileSystem.fault = ({ operation }) =>
      operation === "write" ? new Error("EIO") : undefined;
    transfers.time.pass(1_000);

    expect(first.failures.map(({ code }) => code)).toEqual(["SNAPSHOT_FAILED"]);
  });

  test("gets a newer one when the older is gone", () => {
    const transfers = new Transfers({ bytesPerSecond: 512 * KIB });
    transfers.time.pass(500);
    transfers.write(INDEX + 1, MIB);
    transfers.base = INDEX + 1;
    transfers.leader.store.remove(INDEX, () => undefined);

    expect(transfers.pass(6)).toBe(true);

    expect(transfers.first.installed[0]?.snapshot.lastIncludedIndex).toBe(INDEX + 1);
    expect(transfers.reports.map(([, outcome]) => outcome)).toContain("failed");
  });

  test("that asks for one that is gone is given up at once", () => {
    const transfers = new Transfers();
    transfers.leader.store.remove(INDEX, () => undefined);
    transfers.base = INDEX + 1;

    transfers.time.pass(10);

    expect(transfers.reports).toEqual([[0, "failed"]]);
  });

  test("that is writing when another is wanted gets that one next", () => {
    const transfers = new Transfers({ bytesPerSecond: 512 * KIB });
    transfers.time.pass(500);
    transfers.write(INDEX + 1, MIB);
    const { first } = transfers;
    const offer = { index: INDEX, term: 1, bytes: transfers.fileBytes };
    const { offset } = first.store.receive(offer);
    const bytes = transfers.leader.store.readRaw(INDEX, offset, KIB);
    first.fetcher.onChunk({ index: INDEX, term: 1, offset }, bytes);
    transfers.base = INDEX + 1;
    transfers.sender.begin(0, INDEX + 1);
    first.fetcher.begin(transfers.message(INDEX + 1, transfers.fileBytes));

    expect(transfers.pass(6)).toBe(true);

    expect(first.installed[0]?.snapshot.lastIncludedIndex).toBe(INDEX + 1);
  });

  test("that was never told, or went, does not hold its leader up", () => {
    const transfers = new Transfers({ loss: 1 });

    transfers.time.pass(30_000);

    expect(transfers.reports.length).toBeGreaterThan(5);
  });
});
