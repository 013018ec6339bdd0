/** Node 2 of three founders, on virtual time: a test plays the others. */

import { MemoryFileSystem } from "@quorumlog/log/testing";
import { Prng, SlabPool } from "@quorumlog/std";
import type { GroupLink } from "@quorumlog/transport";
import { MemoryNetwork, VirtualTime } from "@quorumlog/transport/testing";
import type { Environment, ReplicaEvent } from "../../src/index.ts";
import { foundingDigest } from "../../src/founding.ts";
import { openGroup, openNode } from "../../src/open-group.ts";
import { decodeEnvelope, type Envelope, encodeEnvelope } from "../../src/peer-envelope.ts";
import type { Replica } from "../../src/replica.ts";
import { parseTuning } from "../../src/replica-options.ts";

const NODE_ID = 2;
const ADDRESSES = new Map([
  [1, "a:1"],
  [2, "b:1"],
  [3, "c:1"],
]);
const FOUNDERS = [...ADDRESSES.keys()].map((id) => ({ id, incarnation: 1 }));
const DIGEST = Buffer.from(foundingDigest(FOUNDERS), "hex");

export class LoneNode {
  readonly time: VirtualTime = new VirtualTime();
  readonly events: ReplicaEvent[] = [];
  readonly replica: Replica;
  readonly #sent = new Map<number, Envelope[]>();
  readonly #links = new Map<number, GroupLink>();

  constructor() {
    const { time } = this;
    const prng = new Prng(1);
    const network = new MemoryNetwork({ scheduler: time, prng });
    const place = {
      directory: "/node",
      clusterId: "c",
      nodeId: NODE_ID,
      groupId: 0,
      ifMissing: "found" as const,
      fileSystem: new MemoryFileSystem({ prng, schedule: (run) => time.after(0, run) }),
      environment: environmentOn(time, prng),
    };
    const { replica } = openGroup({
      ...place,
      identity: openNode(place),
      addresses: ADDRESSES,
      tuning: parseTuning({ segmentBytes: 65_536 }),
      preferredLeaders: [],
      leaseReads: false,
      transport: network.transport({ nodeId: NODE_ID, incarnation: 0 }),
      machine: undefined,
      onEvent: (event) => this.events.push(event),
      onTurn: () => undefined,
    });
    this.replica = replica;
    for (const nodeId of [1, 3]) this.#join(network, nodeId);
    time.pass(50);
  }

  /** What the node has said to a peer, in order. */
  sent(to: number): readonly Envelope[] {
    return this.#sent.get(to) ?? [];
  }

  /** Sends a frame of a peer. */
  send(from: number, envelope: Envelope): void {
    this.#links.get(from)?.send(NODE_ID, "control", [DIGEST, ...encodeEnvelope(envelope)]);
  }

  /** Hands the replica a frame at once: those of one turn follow each other like that. */
  receive(from: number, envelope: Envelope): void {
    this.replica.onFrame({ nodeId: from, incarnation: 0 }, Buffer.concat(encodeEnvelope(envelope)));
  }

  #join(network: MemoryNetwork, nodeId: number): void {
    const envelopes: Envelope[] = [];
    this.#sent.set(nodeId, envelopes);
    const link = network.transport({ nodeId, incarnation: 0 }).attach(0, {
      onFrame: (_from, payload) => {
        const envelope = decodeEnvelope(payload.subarray(DIGEST.length));
        if (envelope !== undefined) envelopes.push(envelope);
      },
      onPeerUp: () => undefined,
      onPeerDown: () => undefined,
      onPeerGone: () => undefined,
    });
    link.setPeers(ADDRESSES);
    this.#links.set(nodeId, link);
  }
}

function environmentOn(time: VirtualTime, prng: Prng): Environment {
  return {
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
}
