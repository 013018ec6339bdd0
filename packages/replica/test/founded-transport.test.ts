// Goal: replicas of two foundings never talk as one group, and what opened in part is let go of.
// Method: nodes on a network in memory whose operator founds twice; a look at single frames.
import { LogError } from "@quorumlog/log";
import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng } from "@quorumlog/std";
import type { Transport } from "@quorumlog/transport";
import { MemoryNetwork, VirtualTime } from "@quorumlog/transport/testing";
import { describe, expect, test } from "vitest";
import { EMPTY_CONFIGURATION } from "@quorumlog/raft";
import { FoundedTransport } from "../src/founded-transport.ts";
import { encodeEnvelope } from "../src/peer-envelope.ts";
import {
  type Environment,
  nodeEnvironment,
  type NodeOptions,
  type ReplicaEvent,
  ReplicatedLog,
} from "../src/index.ts";

const MINE = "00000000000000aa";
const OTHER = "00000000000000bb";
const RAFT = [Uint8Array.of(1)];
const INTRODUCTION = encodeEnvelope({
  kind: "introduction",
  incarnation: 1,
  address: "",
  configuration: EMPTY_CONFIGURATION,
  isQuestion: true,
  isFounding: false,
});

/** What node 2 receives of what node 1 sends. */
class Pair {
  readonly noted: string[] = [];
  readonly foreign: number[] = [];
  readonly failures: Error[] = [];
  readonly #time = new VirtualTime();
  readonly #network = new MemoryNetwork({ scheduler: this.#time, prng: new Prng(1) });
  readonly #kinds: (number | undefined)[] = [];
  readonly #sender: (parts: readonly Uint8Array[]) => void;

  constructor(digests: readonly [string | undefined, string | undefined], note?: () => never) {
    const ends = digests.map((digest, index) => {
      const transport = this.#network.transport({ nodeId: index + 1, incarnation: 0 });
      const founded = new FoundedTransport({
        transport,
        digest,
        note: note ?? ((learned) => this.noted.push(learned)),
        onFailure: (error) => this.failures.push(error),
        onForeign: (from) => this.foreign.push(from),
      });
      const link = founded.attach(0, {
        onFrame: (_from, payload) => this.#kinds.push(payload[0]),
        onPeerUp: () => undefined,
        onPeerDown: () => undefined,
        onPeerGone: () => undefined,
      });
      link.setPeers(new Map([[2 - index, "a:1"]]));
      return link;
    });
    this.#time.pass(100);
    this.#sender = (parts) => {
      ends[0]?.send(2, "control", parts);
      this.#time.pass(100);
    };
  }

  /** @returns the kinds of frames that arrived. */
  send(...frames: readonly (readonly Uint8Array[])[]): (number | undefined)[] {
    for (const parts of frames) this.#sender(parts);
    return this.#kinds.splice(0);
  }
}

describe("a frame", () => {
  test("of the same founding is taken, of another one passed over", () => {
    expect(new Pair([MINE, MINE]).send(RAFT, INTRODUCTION)).toEqual([1, 5]);
    const other = new Pair([OTHER, MINE]);
    expect(other.send(RAFT, INTRODUCTION)).toEqual([]);
    expect(other.foreign).toEqual([1, 1]);
  });

  test("of a node without a founding is taken unless it is of consensus", () => {
    expect(new Pair([undefined, MINE]).send(INTRODUCTION, RAFT)).toEqual([5]);
  });

  test("of consensus tells a node its founding, which it notes, and keeps to", () => {
    const pair = new Pair([MINE, undefined]);
    expect(pair.send(INTRODUCTION)).toEqual([5]);
    expect(pair.noted).toEqual([]);
    expect(pair.send(RAFT, RAFT)).toEqual([1, 1]);
    expect(pair.noted).toEqual([MINE]);
  });

  test("is not taken if its founding cannot be noted", () => {
    const pair = new Pair([MINE, undefined], () => {
      throw new Error("the disk is full");
    });
    expect(pair.send(RAFT)).toEqual([]);
    expect(pair.failures).toHaveLength(1);
  });
});

function optionsOf(nodeId: number, transport: Transport): NodeOptions {
  return {
    directory: "/node",
    clusterId: "c",
    nodeId,
    ifMissing: "found",
    peers: { [nodeId]: `node-${nodeId}:1` },
    transport,
    fileSystem: new MemoryFileSystem({ prng: new Prng(nodeId) }),
    tuning: { segmentBytes: 65_536 },
  };
}

/** The log that was open before lets go of its files in its own time. */
async function reopened(options: NodeOptions): Promise<ReplicatedLog> {
  for (;;) {
    try {
      return await ReplicatedLog.open(options);
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== "LOG_LOCKED") throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

describe("a node", () => {
  test("of another founding does not become a member", async () => {
    const network = new MemoryNetwork({ scheduler: nodeEnvironment, prng: new Prng(1) });
    const events: ReplicaEvent[] = [];
    const logs = await Promise.all(
      [1, 2].map((nodeId) =>
        ReplicatedLog.open({
          ...optionsOf(nodeId, network.transport({ nodeId, incarnation: 0 })),
          onEvent: (event) => events.push(event),
        }),
      ),
    );
    const [one, two] = logs as [ReplicatedLog, ReplicatedLog];
    for (const log of logs) await log.leader();
    await two.append(Buffer.from("kept"));

    const addition = one.addLearner(2, "node-2:1", { timeoutMs: 300 });

    await expect(addition).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(events).toContainEqual({ type: "foreignFrame", from: 1, leftOut: 0 });
    expect(two.read(0).records).toHaveLength(1);
    for (const log of logs) await log.close();
  });

  test("opens again where opening it has failed half way", async () => {
    const network = new MemoryNetwork({ scheduler: nodeEnvironment, prng: new Prng(1) });
    const options = optionsOf(1, network.transport({ nodeId: 1, incarnation: 0 }));
    const environment: Environment = {
      ...nodeEnvironment,
      soon: () => {
        throw new Error("the replica cannot begin");
      },
    };

    const failed = ReplicatedLog.open({ ...options, environment });

    await expect(failed).rejects.toThrow("the replica cannot begin");
    const log = await reopened({ ...options, ifMissing: "fail" });
    await log.leader();
    await log.append(Buffer.from("kept"));
    await log.close();
  });
});
