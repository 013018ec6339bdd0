/** A socket that speaks to a node byte by byte. */

import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import { parseAddress } from "../../src/address.ts";
import { encodeHello, type Hello } from "../../src/handshake-message.ts";
import { helloProof } from "../../src/handshake-proof.ts";
import { lengthPrefixed } from "../../src/handshake-stream.ts";
import { TOKEN, until } from "./node.ts";

export class RawClient {
  readonly socket: Socket;
  /** All that came. */
  received: Buffer = Buffer.alloc(0);
  isClosed = false;

  constructor(address: string) {
    this.socket = connect(parseAddress(address));
    onTestFinished(() => {
      this.socket.destroy();
    });
    this.socket.on("data", (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    this.socket.on("error", () => undefined);
    this.socket.on("close", () => {
      this.isClosed = true;
    });
  }

  async challenge(): Promise<Buffer> {
    await until("the challenge came", () => this.received.byteLength >= 40);
    return this.received.subarray(0, 40);
  }

  /** The hello of a node that has the token, changed as given. */
  async hello(change: Partial<Hello> = {}, token: string = TOKEN): Promise<Buffer> {
    const challenge = await this.challenge();
    const hello: Hello = {
      versions: { min: 1, max: 1 },
      clusterId: "test",
      from: { nodeId: 9, incarnation: 1 },
      toNodeId: 1,
      lane: "control",
      groupIds: [],
      nonce: randomBytes(32),
      ...change,
    };
    return encodeHello(hello, (covered) => helloProof(Buffer.from(token), challenge, covered));
  }

  /** Says hello as node 9, and waits for the answer. */
  async join(change: Partial<Hello> = {}): Promise<void> {
    this.socket.write(lengthPrefixed(await this.hello(change)));
    await this.answer();
  }

  async answer(): Promise<Buffer> {
    await until("an answer came", () => this.received.byteLength > 44);
    return this.received.subarray(44);
  }

  closed(): Promise<void> {
    return until("the connection was closed", () => this.isClosed);
  }
}
