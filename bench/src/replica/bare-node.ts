/**
 * What the disks and the network give without any of a replica's work: node 1 coalesces what comes
 * in a turn, writes and syncs it, and sends it to two others that do the same; two of three count.
 * One checksum per write and hop, no terms, no recovery, no reading back.
 */

import { mkdirSync } from "node:fs";
import { connect, createServer } from "node:net";
import { crc32 } from "node:zlib";
import { frameHeader, readFrames } from "../spike/frame.ts";
import { GroupCommit } from "../spike/group-commit.ts";
import { SegmentFile } from "../spike/segment-file.ts";
import { type NodeConfig, readConfig, serveParent } from "./node-process.ts";

const ACK_BYTES = 8;
const BATCH_BYTES_MAX = 256 * 1024;
const BATCHES_MAX = 2;

function openCommit(directory: string, onSynced: (index: number) => void): GroupCommit {
  mkdirSync(directory, { recursive: true });
  const file = new SegmentFile(directory, "pool");
  // A leader has gathered a turn already, and a follower what came in one frame.
  return new GroupCommit({ file, onSynced, gathersTurn: false });
}

function nobodyListens(_index: number): void {
  // The leader has not connected yet.
}

function runFollower({ nodeId, directory, ports }: NodeConfig): void {
  let answer = nobodyListens;
  const commit = openCommit(directory, (index) => {
    answer(index);
  });
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    answer = (index) => {
      const bytes = Buffer.allocUnsafe(ACK_BYTES);
      bytes.writeDoubleLE(index, 0);
      socket.write(bytes);
    };
    readFrames(socket, (header, parts) => {
      let checksum = 0;
      for (const part of parts) checksum = crc32(part, checksum);
      if (checksum !== header.readUInt32LE(4)) throw new Error("a frame's checksum is wrong");
      commit.add([header, ...parts], header.readDoubleLE(8));
    });
  });
  server.listen(ports[nodeId], "127.0.0.1", () => {
    serveParent(() => Promise.reject(new Error("a follower appends nothing")));
  });
}

interface Waiting {
  readonly bytes: Buffer;
  readonly resolve: () => void;
}

class Leader {
  readonly #commit: GroupCommit;
  readonly #sends: ((parts: readonly Buffer[]) => void)[];
  readonly #synced: number[];
  #queue: Waiting[] = [];
  #queueBytes = 0;
  readonly #underWay: Waiting[][] = [];
  #lastIndex = 0;
  #committed = 0;
  #isTurnWanted = false;

  constructor({ directory, ports }: NodeConfig) {
    const others = Object.entries(ports).filter(([id]) => id !== "1");
    this.#synced = [0, ...others.map(() => 0)];
    this.#commit = openCommit(directory, (index) => {
      this.#onSynced(0, index);
    });
    this.#sends = others.map(([, port], at) => this.#connect(port, at + 1));
  }

  append(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => {
      // The caller uses its bytes again once they are acknowledged; a slow follower may be behind.
      this.#queue.push({ bytes: Buffer.from(bytes), resolve });
      this.#queueBytes += bytes.length;
      this.#wantTurn();
    });
  }

  #wantTurn(): void {
    if (this.#isTurnWanted) return;
    this.#isTurnWanted = true;
    setImmediate(() => {
      this.#isTurnWanted = false;
      this.#turn();
    });
  }

  #turn(): void {
    while (this.#queue.length > 0) {
      const isFull = this.#queueBytes >= BATCH_BYTES_MAX;
      if (!isFull && this.#underWay.length >= BATCHES_MAX) return;
      this.#replicate(this.#takeBatch());
    }
  }

  #takeBatch(): Waiting[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && bytes < BATCH_BYTES_MAX) {
      bytes += this.#queue[count]?.bytes.length ?? 0;
      count += 1;
    }
    this.#queueBytes -= bytes;
    return this.#queue.splice(0, count);
  }

  #replicate(batch: Waiting[]): void {
    const parts = batch.map(({ bytes }) => bytes);
    let checksum = 0;
    let length = 0;
    for (const part of parts) {
      checksum = crc32(part, checksum);
      length += part.length;
    }
    this.#lastIndex += 1;
    this.#underWay.push(batch);
    const frame = [frameHeader(length, checksum, this.#lastIndex), ...parts];
    for (const send of this.#sends) send(frame);
    this.#commit.add(frame, this.#lastIndex);
  }

  #connect(port: number, at: number): (parts: readonly Buffer[]) => void {
    const socket = connect(port, "127.0.0.1");
    socket.setNoDelay(true);
    socket.on("data", (bytes) => {
      this.#onSynced(at, bytes.readDoubleLE(bytes.length - ACK_BYTES));
    });
    return (parts) => {
      socket.cork();
      for (const part of parts) socket.write(part);
      process.nextTick(() => {
        socket.uncork();
      });
    };
  }

  #onSynced(replica: number, index: number): void {
    this.#synced[replica] = index;
    const quorum = this.#synced.toSorted((a, b) => a - b)[1] ?? 0;
    while (this.#committed < quorum) {
      this.#committed += 1;
      for (const { resolve } of this.#underWay.shift() ?? []) resolve();
    }
    this.#wantTurn();
  }
}

const config = readConfig();
if (config.nodeId === 1) {
  const leader = new Leader(config);
  serveParent((bytes) => leader.append(bytes));
} else runFollower(config);
