// Goal: a node whose log is damaged becomes what it was, with the help of its peers, and takes no
// part until then; where nobody has what is lacking, nothing is guessed. Method: whole clusters in
// memory; files of sealed segments are damaged while their nodes are down. Design: FAST '18
// (protocol-aware recovery).

import { LogError, type WantedEntries } from "@quorumlog/log";
import { Prng, SlabPool } from "@quorumlog/std";
import { MemoryNetwork, VirtualTime } from "@quorumlog/transport/testing";
import { describe, expect, test } from "vitest";
import type { Environment } from "../src/index.ts";
import { LogRecovery } from "../src/log-recovery.ts";
import { decodeEnvelope, type Envelope, encodeEnvelope } from "../src/peer-envelope.ts";
import {
  demandEqual,
  fill,
  filledCluster,
  restartWith,
  ruin,
  second,
  segmentsOf,
} from "./kit/damage.ts";

describe("a node whose log is damaged", () => {
  test("does not open without the option, and says which", async () => {
    await using filled = await filledCluster({ recoverFromPeers: false });
    const { cluster } = filled;
    await cluster.kill(1);
    const path = second(segmentsOf(cluster, 1));
    ruin(cluster, 1, path);

    const error: unknown = await cluster.restart(1).catch((refused: unknown) => refused);

    expect(error).toBeInstanceOf(LogError);
    expect(error).toMatchObject({ code: "LOG_CORRUPT", file: path });
    expect(String(error)).toContain("recoverFromPeers: true");
  });

  test.each(["ruined", "gone", "cut"])("gets a file that is %s from its peers", async (what) => {
    await using filled = await filledCluster();
    const { cluster, events } = filled;
    const disk = cluster.disk(1);
    const damage = (path: string): void => {
      if (what === "ruined") ruin(cluster, 1, path);
      else if (what === "gone") disk.lose(path);
      else disk.truncate(path, 30_000);
    };

    await restartWith(filled, new Map([[1, damage]]), second);

    const told = events.filter(({ nodeId }) => nodeId === 1).map(({ event }) => event);
    expect(told.filter(({ type }) => type === "logDamaged")).toHaveLength(1);
    expect(told.filter(({ type }) => type === "logRepaired")).toHaveLength(1);
    await fill(filled, 20);
    await demandEqual(filled);
  });

  test("gets the first segment, too", async () => {
    await using filled = await filledCluster();
    const { cluster } = filled;
    await restartWith(
      filled,
      new Map([[1, (path) => cluster.disk(1).lose(path)]]),
      (segments) => segments[0] as string,
    );
    await demandEqual(filled);
  });
});

describe("two nodes of three", () => {
  test("that are damaged in different places repair each other, without the third", async () => {
    await using filled = await filledCluster();
    const { cluster } = filled;
    await cluster.kill(3);
    const damages = new Map([1, 2].map((id) => [id, (path: string) => ruin(cluster, id, path)]));

    await restartWith(filled, damages, (segments, nodeId) => segments[nodeId] as string);

    await fill(filled, 20);
    await cluster.restart(3);
    await demandEqual(filled);
  });

  test("that are damaged in the same place get it from the third", async () => {
    await using filled = await filledCluster();
    const { cluster } = filled;
    const damages = new Map([1, 2].map((id) => [id, (path: string) => ruin(cluster, id, path)]));

    await restartWith(filled, damages, second);

    await fill(filled, 20);
    await demandEqual(filled);
  });
});

test("a node that waits for what is lacking takes no part: it does not vote", () => {
  const time = new VirtualTime();
  const network = new MemoryNetwork({ scheduler: time, prng: new Prng(1) });
  const addresses = new Map([
    [1, "a:1"],
    [2, "b:1"],
  ]);
  const asked: (WantedEntries | undefined)[] = [];
  const environment: Environment = {
    now: () => time.now(),
    wallTime: () => time.now(),
    after: (delayMs, run) => time.after(delayMs, run),
    soon: (run) => void time.after(0, run),
    random: () => 1,
    bootId: () => undefined,
    memory: new SlabPool(),
  };
  const wanted = {
    low: 5,
    high: 6,
    previous: undefined,
    hasTerms: false,
    problemWith: () => undefined,
  };
  const recovery = new LogRecovery({
    // It waits for entries that nobody gives, and has one to give.
    damaged: {
      error: new LogError("LOG_CORRUPT", "damaged"),
      base: () => ({ index: 0, term: 0, configuration: new Uint8Array(0) }),
      commitIndex: () => 3,
      term: () => 1,
      isFinal: () => true,
      entries: () => [{ index: 3, term: 1, kind: "normal", data: Uint8Array.of(7) }],
      repair: ({ fetch }) => {
        fetch(wanted, () => asked.push(undefined));
      },
      close: () => undefined,
    },
    groupId: 0,
    nodeId: 1,
    addresses,
    transport: network.transport({ nodeId: 1, incarnation: 0 }),
    environment,
    onEvent: () => undefined,
    onDone: () => undefined,
  });
  const heard: (Envelope | undefined)[] = [];
  const peer = network.transport({ nodeId: 2, incarnation: 0 }).attach(0, {
    onFrame: (_from, payload) => heard.push(decodeEnvelope(payload)),
    onPeerUp: () => undefined,
    onPeerDown: () => undefined,
    onPeerGone: () => undefined,
  });
  peer.setPeers(addresses);
  time.pass(50);
  const header = { from: 2, to: 1, fromIncarnation: 1, toIncarnation: 1, term: 9 };
  const message = {
    type: "RequestVote" as const,
    ...header,
    lastLogIndex: 90,
    lastLogTerm: 8,
    isTransfer: true,
  };
  peer.send(1, "control", encodeEnvelope({ kind: "raft", message }));
  peer.send(1, "control", encodeEnvelope({ kind: "entriesRequest", number: 4, low: 3, high: 9 }));
  time.pass(5_000);

  const kinds = new Set(heard.map((envelope) => envelope?.kind));
  expect(kinds).toEqual(new Set(["entriesReply", "entriesRequest"]));
  recovery.stop();
});

describe("what cannot be repaired", () => {
  test("is damaged in the same place on all nodes: each says so", async () => {
    await using filled = await filledCluster();
    const { cluster } = filled;
    for (const id of [1, 2, 3]) await cluster.kill(id);
    const paths = [1, 2, 3].map((id) => second(segmentsOf(cluster, id)));
    paths.forEach((path, i) => ruin(cluster, i + 1, path));
    const before = paths.map((path, i) => Buffer.from(cluster.disk(i + 1).bytesOf(path)));

    const errors = await Promise.all(
      [1, 2, 3].map((id) => cluster.restart(id).catch((error: unknown) => error)),
    );

    errors.forEach((error, i) => {
      expect(error).toMatchObject({ code: "LOG_CORRUPT", file: paths[i] });
      expect(String(error)).toContain("nobody has entry");
      // Nothing was guessed, or replaced.
      const after = cluster.disk(i + 1).bytesOf(paths[i] as string);
      expect(before[i]?.equals(after)).toBe(true);
    });
  }, 20_000);

  test("is the end of what was synced: the node is refused, with advice", async () => {
    await using filled = await filledCluster();
    const { cluster } = filled;
    await cluster.log(1).close();
    await cluster.kill(1);
    const disk = cluster.disk(1);
    const directory = "/node-1/group-0/log";
    const [last] = (disk.list(directory) ?? [])
      .filter((name) => name.endsWith(".log"))
      .map((name) => `${directory}/${name}`)
      .filter((path) => disk.bytesOf(path)[4_096] !== 0)
      .slice(-1);
    disk.damage(last as string, 4_096 + 8, Uint8Array.of(0xff));

    const error: unknown = await cluster.restart(1).catch((refused: unknown) => refused);

    expect(error).toMatchObject({ code: "LOG_CORRUPT", file: last });
    expect(String(error)).toContain("replace the node");
  });
});
