/**
 * How much of a stream may be on its way before its reader has taken it: HTTP/2's flow control.
 *
 * The protocol's default of 64 KB stands still for a round trip within every container of batches.
 * grpc-js lets a channel choose (`grpc-node.flow_control_window`), but not a server: here the
 * HTTP/2 servers that it makes are told. A test sees that a client is told of it, so a version of
 * grpc-js that has them elsewhere is noticed.
 *
 * It has a price. Node.js reads nothing from a connection while what it writes to it is on its way
 * (nodejs/node #29399). Two sides that both have more to say than their sockets hold wait for each
 * other, until a keepalive gives up. So a connection of ours carries what is large one way: whoever
 * publishes does not fetch by the same channel. The default of 64 KB would fit into the sockets.
 */

import type { Http2Server, ServerHttp2Session } from "node:http2";
import type { Server } from "@grpc/grpc-js";

/** In bytes, of one stream and of one connection. */
export const WINDOW_BYTES = 8 * 1024 * 1024;

interface ServerParts {
  readonly commonServerOptions?: { settings?: { initialWindowSize?: number } };
  readonly http2Servers?: ReadonlyMap<Http2Server, unknown>;
}

/** Before the server listens. */
export function widenStreams(server: Server): void {
  const { commonServerOptions } = server as unknown as ServerParts;
  if (commonServerOptions === undefined) return;
  commonServerOptions.settings = {
    ...commonServerOptions.settings,
    initialWindowSize: WINDOW_BYTES,
  };
}

/** Once it has what takes its connections, and before it takes any. */
export function widenConnections(server: Server): void {
  for (const http2Server of (server as unknown as ServerParts).http2Servers?.keys() ?? [])
    http2Server.on("session", (session: ServerHttp2Session) => {
      session.setLocalWindowSize(WINDOW_BYTES);
    });
}
