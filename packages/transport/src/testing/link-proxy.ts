/**
 * A TCP proxy in front of a node's port, on loopback, that breaks what passes through it: a real
 * network's faults for real sockets.
 */

import { connect, createServer, type Server, type Socket } from "node:net";
import { LinkPipe, type LinkShape } from "./link-pipe.ts";

/** Forward is from whoever connects to the node behind the proxy. */
export type LinkDirection = "forward" | "backward";

export interface LinkBytes {
  forward: number;
  backward: number;
}

/** Ends of connections, FIN and RST alike, of both directions. */
export interface LinkEnds {
  /** Came from one side while its direction was stalled, and were kept. */
  held: number;
  passed: number;
  /** Passed while their direction was stalled: none, if a stall is one. */
  leaked: number;
}

interface Connection {
  readonly near: Socket;
  readonly far: Socket;
  readonly pipes: Readonly<Record<LinkDirection, LinkPipe>>;
}

const OPEN: LinkShape = {
  isStalled: false,
  bytesPerSecond: Number.POSITIVE_INFINITY,
  delayMs: 0,
};

/**
 * @param target - As `host:port` without brackets: a proxy is for IPv4 on loopback.
 * @param port - Where it listens itself; 0 takes a free one, which may be lost to others while the
 *   proxy refuses connections: see `freePort`.
 */
export async function openLinkProxy(
  target: { readonly host: string; readonly port: number },
  port = 0,
): Promise<LinkProxy> {
  const proxy = new LinkProxy(target, port);
  await proxy.listen();
  return proxy;
}

export class LinkProxy {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #connections = new Set<Connection>();
  /** Came while everything was stalled: nothing is connected behind them yet. */
  readonly #waiting = new Set<Socket>();
  readonly #shapes: Record<LinkDirection, LinkShape> = { forward: OPEN, backward: OPEN };
  #server: Server | undefined;
  #port: number;
  /** What has passed. */
  readonly bytes: LinkBytes = { forward: 0, backward: 0 };
  readonly ends: LinkEnds = { held: 0, passed: 0, leaked: 0 };
  /** Connections that came, ever. */
  connectionCount = 0;
  /** Of those, the ones that came while they could not be answered. */
  unansweredCount = 0;

  /** For `openLinkProxy`. */
  constructor(target: { readonly host: string; readonly port: number }, port: number) {
    this.#target = target;
    this.#port = port;
  }

  /** Where to connect to. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Those that are there, answered or not. */
  get openConnectionCount(): number {
    return this.#connections.size + this.#waiting.size;
  }

  /** Bytes that are kept in here. */
  get heldBytes(): number {
    let sum = 0;
    for (const { pipes } of this.#connections)
      sum += pipes.forward.heldBytes + pipes.backward.heldBytes;
    return sum;
  }

  /** Takes connections from now on. */
  async listen(): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#onSocket(socket);
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: "127.0.0.1", port: this.#port }, resolve);
    });
    const bound = server.address();
    if (typeof bound === "object" && bound !== null) this.#port = bound.port;
  }

  /** Resets every connection, and refuses new ones. */
  async cut(): Promise<void> {
    const server = this.#server;
    this.refuse();
    this.reset();
    if (server === undefined) return;
    await new Promise<void>((resolve) => {
      server.once("close", resolve);
    });
  }

  /** Refuses new connections, as a port does that nobody listens on. Those that are stay. */
  refuse(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  /** Resets every connection, and takes new ones. */
  reset(): void {
    for (const { near, far } of this.#connections) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
    for (const socket of this.#waiting) socket.resetAndDestroy();
  }

  /** Takes connections, and passes nothing on: no byte, and no end of a connection. */
  stall(directions: readonly LinkDirection[] = ["forward", "backward"]): void {
    for (const direction of directions)
      this.#reshape(direction, { ...this.#shapes[direction], isStalled: true });
  }

  /** Ends a stall: what was kept passes, in order. */
  resume(directions: readonly LinkDirection[] = ["forward", "backward"]): void {
    for (const direction of directions)
      this.#reshape(direction, { ...this.#shapes[direction], isStalled: false });
    this.#answerWaiting();
  }

  /** Passes so much in a second, so late; whether it is stalled is another matter. */
  slow(bytesPerSecond: number, delayMs: number): void {
    for (const direction of ["forward", "backward"] as const)
      this.#reshape(direction, { ...this.#shapes[direction], bytesPerSecond, delayMs });
  }

  /** Everything passes again. */
  async heal(): Promise<void> {
    for (const direction of ["forward", "backward"] as const) this.#reshape(direction, OPEN);
    this.#answerWaiting();
    if (this.#server === undefined) await this.listen();
  }

  /** Ends it all. */
  async close(): Promise<void> {
    await this.cut();
  }

  #reshape(direction: LinkDirection, shape: LinkShape): void {
    this.#shapes[direction] = shape;
    for (const { pipes } of this.#connections) pipes[direction].reshape(shape);
  }

  #answerWaiting(): void {
    if (this.#shapes.forward.isStalled) return;
    for (const socket of this.#waiting) this.#connect(socket);
    this.#waiting.clear();
  }

  #onSocket(near: Socket): void {
    this.connectionCount += 1;
    near.on("error", () => undefined);
    near.once("close", () => {
      this.#waiting.delete(near);
    });
    if (this.#shapes.forward.isStalled || this.#shapes.backward.isStalled)
      this.unansweredCount += 1;
    if (this.#shapes.forward.isStalled) this.#waiting.add(near);
    else this.#connect(near);
  }

  #connect(near: Socket): void {
    const far = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    const pipe = (direction: LinkDirection, source: Socket, sink: Socket): LinkPipe =>
      new LinkPipe({
        source,
        sink,
        shape: this.#shapes[direction],
        onBytes: (count) => {
          this.bytes[direction] += count;
        },
        onEnd: (what, isStalled) => {
          if (what === "came" && isStalled) this.ends.held += 1;
          if (what === "passed") this.ends.passed += 1;
          if (what === "passed" && isStalled) this.ends.leaked += 1;
        },
      });
    const pipes = {
      forward: pipe("forward", near, far),
      backward: pipe("backward", far, near),
    };
    const connection: Connection = { near, far, pipes };
    this.#connections.add(connection);
    let left = 2;
    const onClose = (): void => {
      left -= 1;
      if (left > 0) return;
      pipes.forward.destroy();
      pipes.backward.destroy();
      this.#connections.delete(connection);
    };
    near.once("close", onClose);
    far.once("close", onClose);
  }
}
