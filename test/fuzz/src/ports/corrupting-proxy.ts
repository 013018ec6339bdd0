/** Between two nodes: passes bytes on, and changes some while it is told to. */

import { connect, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import type { Prng } from "@quorumlog/std";
import { mutateBytes } from "../byte-mutator.ts";

export class CorruptingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #damage: { readonly prng: Prng; left: number } | undefined;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param target - Asked when somebody connects: it may not be there yet. */
  static async open(target: () => number): Promise<CorruptingProxy> {
    const server = createServer();
    const proxy = new CorruptingProxy(server);
    server.on("connection", (client) => {
      const broker = connect(target(), "127.0.0.1");
      proxy.#pass(client, broker);
      proxy.#pass(broker, client);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** The next so many chunks, one way or the other, come out as something else. */
  corrupt(prng: Prng, chunks: number): void {
    this.#damage = { prng, left: chunks };
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on("data", (bytes) => {
      to.write(this.#maybeDamaged(bytes));
    });
    // Of either end: the other one hears of it as of a connection that was lost.
    from.on("error", () => to.destroy());
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }

  #maybeDamaged(bytes: Buffer): Buffer {
    const damage = this.#damage;
    if (damage === undefined || damage.left === 0) return bytes;
    damage.left -= 1;
    return mutateBytes(damage.prng, bytes);
  }
}
