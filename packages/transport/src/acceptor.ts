/**
 * The port of a node: who may connect, and how many at once.
 *
 * Each node has one connection per lane. One that connects again is the same process, which has
 * lost a connection that this end still holds, or its successor: the newer one counts.
 */

import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer } from "node:tls";
import { type AcceptedSocket, readingOnItsOwn, readInto } from "./accepted-socket.ts";
import { formatAddress } from "./address.ts";
import type { Hello } from "./handshake-message.ts";
import { InboundConnection } from "./inbound-connection.ts";
import type { Lane, NodeId } from "./transport.ts";
import type { TransportContext } from "./transport-context.ts";
import { TransportError } from "./transport-error.ts";
import { type BadConnection, count } from "./transport-status.ts";

/** More than any cluster has. */
const NODE_COUNT_MAX = 1_024;
/** Of a chunk at most: what fits in the caches of a core. */
const CHUNK_BYTES = 256 * 1024;

/** The connections of one node, all from one life of its disk. */
interface InboundNode {
  readonly incarnation: number;
  readonly lanes: Map<Lane, InboundConnection>;
}

export class Acceptor {
  readonly #context: TransportContext;
  readonly #server: Server;
  /** Does TLS for sockets that the other one has accepted, and counted. */
  readonly #tls: TlsServer | undefined;
  /** Sockets that have not proved anything yet, with what ends their time. */
  readonly #handshakes = new Map<Socket, () => void>();
  readonly #connections = new Set<InboundConnection>();
  readonly #nodes = new Map<NodeId, InboundNode>();
  #onAdmitted: (nodeId: NodeId) => void = () => undefined;
  #isClosed = false;

  constructor(context: TransportContext) {
    this.#context = context;
    this.#tls = this.#createTls();
    this.#server = this.#tls === undefined ? this.#createTcp() : this.#createTcpFor(this.#tls);
  }

  /** @returns the port, once it is listened on; an error if it cannot be. */
  listen(): Promise<number> {
    const { listen } = this.#context.options;
    const { host, port } = listen;
    return new Promise((resolve, reject) => {
      const onError = (cause: Error): void => {
        const message = `cannot listen on ${formatAddress(listen)}: ${cause.message}`;
        reject(new TransportError("LISTEN_FAILED", message, cause));
      };
      this.#server.once("error", onError);
      this.#server.listen({ host, port }, () => {
        this.#server.off("error", onError);
        this.#server.on("error", (error) => {
          this.#context.log("error", "accepting failed", { reason: error.message });
        });
        const bound = this.#server.address();
        resolve(typeof bound === "object" && bound !== null ? bound.port : port);
      });
    });
  }

  /** Tells of each node that has proved itself and has connected, from now on. */
  onAdmitted(run: (nodeId: NodeId) => void): void {
    this.#onAdmitted = run;
  }

  get connectionCount(): number {
    return [...this.#nodes.values()].reduce((sum, { lanes }) => sum + lanes.size, 0);
  }

  get handshakeCount(): number {
    return this.#handshakes.size;
  }

  tick(): void {
    for (const connection of this.#connections) connection.tick();
  }

  /** Its sockets are for others to destroy. */
  close(onClosed: () => void): void {
    this.#isClosed = true;
    for (const socket of this.#handshakes.keys()) this.#leaveHandshake(socket);
    this.#server.close(() => {
      onClosed();
    });
  }

  #createTcp(): Server {
    const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    return createTcpServer({ noDelay: true, pauseOnConnect: true }, (paused) => {
      const accepted = readInto(paused, chunk);
      const { socket } = accepted;
      this.#welcome(socket, () => {
        this.#begin(accepted, socket);
      });
    });
  }

  #createTcpFor(tls: TlsServer): Server {
    return createTcpServer({ noDelay: true }, (socket) => {
      this.#welcome(socket, () => {
        tls.emit("connection", socket);
      });
    });
  }

  #createTls(): TlsServer | undefined {
    const { tls } = this.#context.options;
    if (tls === undefined) return undefined;
    const { key, cert, ca } = tls;
    const asked = { requestCert: true, rejectUnauthorized: true } as const;
    const server = createTlsServer({ key, cert, ca, ...asked, minVersion: "TLSv1.2" });
    server.on("tlsClientError", (_error, socket) => {
      const raw = this.#rawOf(socket);
      if (raw !== undefined) this.#drop(raw, "tls");
      socket.destroy();
    });
    server.on("secureConnection", (socket) => {
      const raw = this.#rawOf(socket);
      if (raw === undefined) socket.destroy();
      else this.#begin(readingOnItsOwn(socket), raw);
    });
    return server;
  }

  /** Its time for a handshake begins. */
  #welcome(socket: Socket, begin: () => void): void {
    const { options, scheduler, sockets } = this.#context;
    sockets.add(socket);
    // Whoever reads it hears of its end; an error without a listener would end the process.
    socket.on("error", () => undefined);
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    if (this.#handshakes.size >= options.handshakeCountMax && !this.#makeRoomFor(socket)) {
      this.#drop(socket, "handshakeCount");
      return;
    }
    const cancel = scheduler.after(options.handshakeMs, () => {
      this.#drop(socket, "handshakeTimeout");
    });
    this.#handshakes.set(socket, cancel);
    socket.once("close", () => {
      this.#leaveHandshake(socket);
    });
    begin();
  }

  /** Ends a handshake of the address that has the most, if the newcomer's has fewer. */
  #makeRoomFor(newcomer: Socket): boolean {
    const byAddress = new Map<string | undefined, Socket[]>();
    for (const socket of this.#handshakes.keys()) {
      const others = byAddress.get(socket.remoteAddress);
      if (others === undefined) byAddress.set(socket.remoteAddress, [socket]);
      else others.push(socket);
    }
    const most = [...byAddress.values()].reduce((a, b) => (b.length > a.length ? b : a));
    const own = byAddress.get(newcomer.remoteAddress)?.length ?? 0;
    const [oldest] = most;
    if (oldest === undefined || most.length <= own + 1) return false;
    this.#drop(oldest, "handshakeCount");
    return true;
  }

  /** TLS wraps a socket that was accepted in another: both have the same ends. */
  #rawOf(socket: Socket): Socket | undefined {
    for (const raw of this.#handshakes.keys())
      if (
        raw.remotePort !== undefined &&
        raw.remotePort === socket.remotePort &&
        raw.remoteAddress === socket.remoteAddress
      )
        return raw;
    return undefined;
  }

  #begin(accepted: AcceptedSocket, raw: Socket): void {
    let node: InboundNode | undefined;
    let lane: Lane | undefined;
    const connection = new InboundConnection(
      {
        accepted,
        onHello: (hello) => {
          node = this.#admit(hello, connection);
          ({ lane } = hello);
          this.#leaveHandshake(raw);
          this.#onAdmitted(hello.from.nodeId);
        },
        onEnd: () => {
          this.#connections.delete(connection);
          if (node === undefined || lane === undefined) return;
          if (node.lanes.get(lane) === connection) node.lanes.delete(lane);
        },
      },
      this.#context,
    );
    this.#connections.add(connection);
  }

  /** @throws TransportError why it is refused. */
  #admit({ from, lane }: Hello, connection: InboundConnection): InboundNode {
    this.#forgetEmpty();
    const { nodeId, incarnation } = from;
    let node = this.#nodes.get(nodeId);
    if (node !== undefined && incarnation < node.incarnation) {
      const text = `incarnation ${incarnation}, while ${node.incarnation} is connected`;
      throw new TransportError("PEER_INCARNATION", text);
    }
    if (node === undefined && this.#nodes.size >= NODE_COUNT_MAX)
      throw new TransportError("PEER_LIMIT", `${NODE_COUNT_MAX} nodes are connected`);
    if (node === undefined || incarnation > node.incarnation) {
      for (const old of node?.lanes.values() ?? []) old.destroy();
      node = { incarnation, lanes: new Map() };
      this.#nodes.set(nodeId, node);
    }
    node.lanes.get(lane)?.destroy();
    node.lanes.set(lane, connection);
    return node;
  }

  #forgetEmpty(): void {
    for (const [nodeId, { lanes }] of this.#nodes) if (lanes.size === 0) this.#nodes.delete(nodeId);
  }

  #drop(socket: Socket, reason: BadConnection): void {
    const { counters, limitedLog } = this.#context;
    count(counters.badConnections, reason);
    limitedLog.warn(reason, "connection closed", { remote: socket.remoteAddress ?? "" });
    this.#leaveHandshake(socket);
    socket.destroy();
  }

  #leaveHandshake(socket: Socket): void {
    this.#handshakes.get(socket)?.();
    this.#handshakes.delete(socket);
  }
}
