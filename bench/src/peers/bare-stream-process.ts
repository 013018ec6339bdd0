/** A server of bare streams, or with a port its client: `node bare-stream-process.js JSON`. */

import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerWritableStream,
} from "@grpc/grpc-js";

export interface BareConfig {
  /** Of one stream. */
  readonly bytes: number;
  readonly port?: number | undefined;
}

export interface BareAnswer {
  readonly port?: number;
  readonly seconds?: number;
}

const PATH = "/bench.Bare/Stream";
const CONTAINER_BYTES = 64 * 1024;
const DEADLINE_MS = 120_000;

const { bytes, port } = JSON.parse(process.argv[2] ?? "{}") as BareConfig;
process.on("disconnect", () => process.exit(0));
process.send?.(
  port === undefined ? { port: await serve() } : { seconds: await receiveTwice(port) },
);

async function serve(): Promise<number> {
  const server = new Server();
  const container = Buffer.alloc(CONTAINER_BYTES, 1);
  const stream = (call: ServerWritableStream<Buffer, Buffer>): void => {
    let left = bytes;
    const write = (): void => {
      while (left > 0) {
        const part = container.subarray(0, Math.min(left, CONTAINER_BYTES));
        left -= part.length;
        if (!call.write(part)) {
          call.once("drain", write);
          return;
        }
      }
      call.end();
    };
    write();
  };
  const definition = {
    path: PATH,
    requestStream: false,
    responseStream: true,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  server.addService({ stream: definition }, { stream });
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
}

async function receiveTwice(from: number): Promise<number> {
  const client = new Client(`127.0.0.1:${from}`, credentials.createInsecure());
  await receive(client);
  const startedAt = performance.now();
  await receive(client);
  return (performance.now() - startedAt) / 1_000;
}

function receive(client: Client): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = bytes;
    const call = client.makeServerStreamRequest(PATH, same, same, Buffer.alloc(0), new Metadata(), {
      deadline: Date.now() + DEADLINE_MS,
    });
    call.on("data", (part: Buffer) => {
      left -= part.length;
    });
    call.on("error", reject);
    call.on("end", () => {
      if (left === 0) resolve();
      else reject(new Error(`${left} bytes of a bare stream are missing`));
    });
  });
}

function same(part: Buffer): Buffer {
  return part;
}
