// Goal: a node whose disk has lost what it acknowledged says so and stops.
import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng, SlabPool } from "@quorumlog/std";
import { MemoryNetwork, VirtualTime } from "@quorumlog/transport/testing";
import { expect, test } from "vitest";
import type { Environment, ReplicaEvent } from "../src/index.ts";
import { foundingDigest } from "../src/founding.ts";
import { openGroup, openNode } from "../src/open-group.ts";
import { encodeEnvelope } from "../src/peer-envelope.ts";
import { parseTuning } from "../src/replica-options.ts";

test("a heartbeat that knows of more than the log has stops the node, with what to do", () => {
  const time = new VirtualTime();
  const prng = new Prng(1);
  const environment: Environment = {
    now: () => time.now(),
    wallTime: () => time.now(),
    after: (delayMs, run) => time.after(delayMs, run),
    soon: (run) => {
      time.after(0, run);
    },
    bootId: () => undefined,
    random: () => prng.uint32(),
    memory: new SlabPool(),
  };
  const network = new MemoryNetwork({ scheduler: time, prng });
  const events: ReplicaEvent[] = [];
  const place = {
    directory: "/node",
    clusterId: "c",
    nodeId: 2,
    groupId: 0,
    ifMissing: "found" as const,
    fileSystem: new MemoryFileSystem({ prng, schedule: (run) => time.after(0, run) }),
    environment,
  };
  const addresses = new Map([
    [1, "a:1"],
    [2, "b:1"],
    [3, "c:1"],
  ]);
  const { replica } = openGroup({
    ...place,
    identity: openNode(place),
    addresses,
    tuning: parseTuning({ segmentBytes: 65_536 }),
    preferredLeaders: [],
    leaseReads: false,
    transport: network.transport({ nodeId: 2, incarnation: 0 }),
    machine: undefined,
    onEvent: (event) => events.push(event),
    onTurn: () => undefined,
  });
  const leader = network.transport({ nodeId: 1, incarnation: 0 }).attach(0, {
    onFrame: () => undefined,
    onPeerUp: () => undefined,
    onPeerDown: () => undefined,
    onPeerGone: () => undefined,
  });
  leader.setPeers(addresses);
  time.pass(50);
  const header = { from: 1, to: 2, fromIncarnation: 1, toIncarnation: 1, term: 7 };
  const message = { type: "Heartbeat" as const, ...header, leaderCommit: 9, round: 1 };

  const founders = [...addresses.keys()].map((id) => ({ id, incarnation: 1 }));
  const digest = Buffer.from(foundingDigest(founders), "hex");
  leader.send(2, "control", [digest, ...encodeEnvelope({ kind: "raft", message })]);
  time.pass(50);

  expect(replica.isOpen()).toBe(false);
  const [failed] = events.filter(({ type }) => type === "failed");
  expect(failed).toMatchObject({ error: { code: "DISK_LOST" } });
  expect(replica.failure()?.message).toMatch(/ends at index 1, .* acknowledged 9/u);
});
