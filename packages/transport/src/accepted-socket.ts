/**
 * An accepted connection whose bytes all come in the same piece of memory.
 *
 * A socket that reads on its own takes a new buffer of 64 KiB for each chunk. At some hundred
 * megabytes a second they, and not the frames, are what V8 marks its heap for. `net.Socket` has
 * the option `onread` against that, but a server makes its sockets itself and does not pass it on:
 * so the connection moves to a socket that has it. How a socket holds its connection is not
 * documented; where it is not as expected, the socket stays, and reads as it always did.
 */

import { type OnReadOpts, Socket, type SocketConstructorOpts } from "node:net";

/** @param chunk - Is read before the call returns: its memory is used again. */
export type OnChunk = (chunk: Uint8Array) => void;

export interface AcceptedSocket {
  readonly socket: Socket;
  /** Whoever is set hears of all that comes from then on. */
  onChunk: OnChunk;
}

const HANDLE = "_handle";

/** What a socket has of Node's own. */
interface WithHandle {
  [HANDLE]?: object | null;
}

interface SocketInit extends SocketConstructorOpts {
  readonly handle: object;
  readonly onread: OnReadOpts;
}

/**
 * @param accepted - From a server that pauses what it accepts; not for anybody else any more.
 * @param memory - May be that of other connections: a chunk is read before the next one comes.
 */
export function readInto(accepted: Socket, memory: Uint8Array): AcceptedSocket {
  const socket = moveTo(accepted, memory, (chunk) => {
    moved.onChunk(chunk);
  });
  if (socket === undefined) return readingOnItsOwn(accepted);
  const moved: AcceptedSocket = { socket, onChunk: nobodyListens };
  return moved;
}

/** For a socket that cannot share memory, such as one inside of TLS. */
export function readingOnItsOwn(socket: Socket): AcceptedSocket {
  const accepted: AcceptedSocket = { socket, onChunk: nobodyListens };
  socket.on("data", (chunk: Buffer) => {
    accepted.onChunk(chunk);
  });
  // It may have been accepted to be moved.
  socket.resume();
  return accepted;
}

function nobodyListens(_chunk: Uint8Array): void {
  // A connection has a reader before its first chunk can come.
}

function moveTo(accepted: Socket, memory: Uint8Array, run: OnChunk): Socket | undefined {
  const former = accepted as WithHandle;
  const { [HANDLE]: handle } = former;
  if (typeof handle !== "object" || handle === null) return undefined;
  const onread = {
    buffer: memory,
    callback: (count: number): boolean => {
      run(memory.subarray(0, count));
      return true;
    },
  };
  const init: SocketInit = { handle, onread };
  const socket = new Socket(init);
  if ((socket as WithHandle)[HANDLE] !== handle) return undefined;
  // Its server counts it until it is destroyed, and waits for that when it closes.
  former[HANDLE] = null;
  accepted.destroy();
  return socket;
}
