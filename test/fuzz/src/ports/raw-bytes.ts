/** Bytes that no client of a port sends: from noise to HTTP/2 that is broken somewhere. */

import { connect } from "node:net";
import type { Prng } from "@quorumlog/std";
import { mutateBytes, randomBytes } from "../byte-mutator.ts";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** Types of frames: data, headers, reset, settings, ping, away, window, continuation. */
const FRAME_TYPES = [0, 1, 3, 4, 6, 7, 8, 9, 0x55];
const HTTP_REQUESTS = [
  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
  "POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n",
  `GET /${"x".repeat(20_000)} HTTP/1.1\r\n\r\n`,
  "GET /../../etc/passwd HTTP/1.0\r\n\r\nGET /metrics\r\n",
];
const FRAMES_MAX = 20;
const BYTES_MAX = 3_000;
const PATIENCE_MS = 100;

export function rawBytes(prng: Prng): Buffer {
  const dice = prng.below(6);
  if (dice === 0) return randomBytes(prng, 1 + prng.below(BYTES_MAX));
  if (dice === 1) return Buffer.from(prng.pick(HTTP_REQUESTS));
  if (dice === 2) return mutateBytes(prng, PREFACE);
  const frames = Array.from({ length: 1 + prng.below(FRAMES_MAX) }, () => frame(prng));
  const bytes = Buffer.concat([PREFACE, settings(), ...frames]);
  return dice === 3 ? mutateBytes(prng, bytes) : bytes;
}

/** Until the other side has had enough, or for a moment. */
export function sendRaw(port: number, bytes: Buffer): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  const closed = new Promise<void>((resolve) => {
    socket.on("close", () => {
      resolve();
    });
  });
  // Whatever happens to the connection is right, as long as it is to this one alone.
  socket.on("error", () => undefined);
  socket.on("data", () => undefined);
  socket.setTimeout(PATIENCE_MS, () => socket.destroy());
  socket.write(bytes);
  return closed;
}

function settings(): Buffer {
  return Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0);
}

function frame(prng: Prng): Buffer {
  const payload = randomBytes(prng, prng.below(60));
  const head = Buffer.alloc(9);
  const length = prng.below(4) === 0 ? prng.below(2 ** 24) : payload.length;
  head.writeUIntBE(length, 0, 3);
  head[3] = prng.pick(FRAME_TYPES);
  head[4] = prng.below(256);
  head.writeUInt32BE(prng.pick([0, 1, 2, 3, 0x7f_ff_ff_ff]), 5);
  return Buffer.concat([head, payload]);
}
