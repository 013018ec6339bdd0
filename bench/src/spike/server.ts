/** A replica of the spike: `node server.js JSON`. It says `ready`, and later its CPU time. */

import { mkdirSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { crc32 } from "node:zlib";
import { credentials, makeClientConstructor, Server, ServerCredentials } from "@grpc/grpc-js";
import type { ServerDuplexStream, ServiceDefinition } from "@grpc/grpc-js";
import { FRAME_HEADER_BYTES, frameHeader, readFrames } from "./frame.ts";
import { GroupCommit } from "./group-commit.ts";
import { walkContainer } from "./record-batch.ts";
import { SegmentFile, type SyncKind } from "./segment-file.ts";

export type ServerAnswer = "ready" | { readonly cpuMicros: number };

export interface ServerConfig {
  readonly role: "leader" | "follower";
  readonly dir: string;
  readonly port: number;
  readonly followerPorts: readonly number[];
  readonly work: "full" | "bare";
  readonly peers: "tcp" | "grpc";
  readonly sync: SyncKind;
}

const identity = (bytes: Buffer): Buffer => bytes;

const SERVICE = {
  stream: {
    path: "/spike.Log/Stream",
    requestStream: true,
    responseStream: true,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  },
} satisfies ServiceDefinition;

const GRPC_OPTIONS = {
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
};

type Stream = ServerDuplexStream<Buffer, Buffer>;

function nobodyListens(_index: number): void {
  // The leader has not connected yet.
}

function encode(index: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeDoubleLE(index, 0);
  return bytes;
}

function runFollower(config: ServerConfig): void {
  let answer = nobodyListens;
  const file = new SegmentFile(config.dir, config.sync);
  const onSynced = (index: number): void => answer(index);
  const commit = new GroupCommit({ file, onSynced, gathersTurn: true });
  const onFrame = (header: Buffer, parts: Buffer[]): void => {
    let crc = 0;
    for (const part of parts) crc = crc32(part, crc);
    if (crc !== header.readUInt32LE(4)) throw new Error("a frame's checksum is wrong");
    commit.add([header, ...parts], header.readDoubleLE(8));
  };
  if (config.peers === "tcp") {
    createServer((socket) => {
      socket.setNoDelay(true);
      answer = (index) => void socket.write(encode(index));
      readFrames(socket, onFrame);
    }).listen(config.port, "127.0.0.1", ready);
    return;
  }
  listenGrpc(config.port, (stream) => {
    answer = (index) => void stream.write(encode(index));
    stream.on("data", (bytes: Buffer) => {
      onFrame(bytes.subarray(0, FRAME_HEADER_BYTES), [bytes.subarray(FRAME_HEADER_BYTES)]);
    });
  });
}

function runLeader(config: ServerConfig): void {
  const waiting: { readonly stream: Stream; readonly container: Buffer }[] = [];
  const synced = [0, 0, 0];
  const offsets = new Map<number, number>();
  const positions: number[] = [];
  let last = 0;
  let committed = 0;
  const onSynced = (replica: number, index: number): void => {
    synced[replica] = index;
    const quorum = synced.toSorted((a, b) => a - b)[1] ?? 0;
    while (committed < quorum) {
      committed += 1;
      const entry = waiting.shift();
      if (entry === undefined) throw new Error("nobody waits for this entry");
      if (config.work === "full") apply(entry.container);
      const ack = Buffer.allocUnsafe(8);
      ack.writeDoubleLE(committed, 0);
      entry.stream.write(ack);
    }
  };
  const apply = (container: Buffer): void => {
    walkContainer(container, (queue, count, at) => {
      const base = offsets.get(queue) ?? 0;
      offsets.set(queue, base + count);
      positions.push(base, at);
    });
  };
  const file = new SegmentFile(config.dir, config.sync);
  const onOwnSynced = (index: number): void => onSynced(0, index);
  const commit = new GroupCommit({ file, onSynced: onOwnSynced, gathersTurn: true });
  const send = config.followerPorts.map((port, at) =>
    connectFollower(config.peers, port, (index) => onSynced(at + 1, index)),
  );
  listenGrpc(config.port, (stream) => {
    stream.on("end", () => stream.end());
    stream.on("data", (container: Buffer) => {
      const crc = crc32(container);
      if (config.work === "full") walkContainer(container, () => undefined);
      last += 1;
      const header = frameHeader(container.length, crc, last);
      waiting.push({ stream, container });
      commit.add([header, container], last);
      for (const each of send) each(header, container);
    });
  });
}

function connectFollower(
  peers: "tcp" | "grpc",
  port: number,
  onSynced: (index: number) => void,
): (header: Buffer, payload: Buffer) => void {
  const onAck = (bytes: Buffer): void => onSynced(bytes.readDoubleLE(bytes.length - 8));
  if (peers === "tcp") {
    const socket: Socket = connect(port, "127.0.0.1");
    socket.setNoDelay(true);
    socket.on("data", onAck);
    return (header, payload) => {
      socket.cork();
      socket.write(header);
      socket.write(payload);
      process.nextTick(() => socket.uncork());
    };
  }
  const stream = openStream(port);
  stream.on("data", onAck);
  return (header, payload) => void stream.write(Buffer.concat([header, payload]));
}

/** A bidirectional stream of bytes to a server of the spike. */
export function openStream(port: number): Stream {
  const Client = makeClientConstructor(SERVICE, "Log");
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), GRPC_OPTIONS);
  const open = client["stream"] as unknown as () => Stream;
  return open.call(client);
}

function listenGrpc(port: number, onStream: (stream: Stream) => void): void {
  const server = new Server(GRPC_OPTIONS);
  server.addService(SERVICE, { stream: onStream });
  server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error) => {
    if (error !== null) throw error;
    ready();
  });
}

function ready(): void {
  process.send?.("ready" satisfies ServerAnswer);
}

if (process.argv[1]?.endsWith("server.js") === true) {
  const config = JSON.parse(process.argv[2] ?? "{}") as ServerConfig;
  mkdirSync(config.dir, { recursive: true });
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuMicros: user + system } satisfies ServerAnswer);
  });
  process.on("disconnect", () => process.exit(0));
  if (config.role === "leader") runLeader(config);
  else runFollower(config);
}
