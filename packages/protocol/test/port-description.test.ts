// Goal: a program that knows nothing of this project finds out whether a port serves, and what.
// Method: calls as grpcurl makes them, in bytes, over a real socket.
import { once } from "node:events";
import { createRequire } from "node:module";
import { expect, onTestFinished, test } from "vitest";
import { methodsOf, type Codec, DUPLEX, SERVER_STREAM, UNARY } from "../src/rpc.ts";
import { RpcChannel } from "../src/rpc-channel.ts";
import { RpcServer } from "../src/rpc-server.ts";
import { NAME_SERVER_SERVICE } from "../src/services.ts";

const bytes = {
  encode: (message: Buffer) => ({ finish: () => message }),
  decode: (message: Uint8Array) => Buffer.from(message),
} as unknown as Codec<Buffer, Buffer>;

const reflection = methodsOf("grpc.reflection.v1.ServerReflection");
const health = methodsOf("grpc.health.v1.Health");
const info = reflection("ServerReflectionInfo", DUPLEX, bytes, bytes);
const check = health("Check", UNARY, bytes, bytes);
const watch = health("Watch", SERVER_STREAM, bytes, bytes);

/** A message of one text field. */
function textField(number: number, text: string): Buffer {
  return Buffer.concat([Buffer.of(number * 8 + 2, text.length), Buffer.from(text)]);
}

async function start(): Promise<{ server: RpcServer; channel: RpcChannel }> {
  const server = new RpcServer({ listen: "127.0.0.1:0", onDefect: () => undefined });
  server.handle(NAME_SERVER_SERVICE, {
    register: { duplex: () => undefined },
    watchCluster: { serverStream: () => undefined },
    getCluster: { unary: () => ({}) },
  });
  await server.open();
  const channel = new RpcChannel({ address: `127.0.0.1:${server.port}` });
  onTestFinished(async () => {
    channel.close();
    await server.close(0);
  });
  return { server, channel };
}

const LIST_SERVICES = 7;
const FILE_CONTAINING_SYMBOL = 4;

test("what answers is loaded when somebody asks, and not by whoever opens a port", async () => {
  const { cache } = createRequire(import.meta.url);
  const isLoaded = (): boolean =>
    Object.keys(cache).some((path) => path.includes("/grpc-health-check/"));
  const { channel } = await start();
  expect(isLoaded()).toBe(false);

  await channel.call(check, Buffer.alloc(0));

  expect(isLoaded()).toBe(true);
});

test("bytes that are no question are refused; an older reflection is there", async () => {
  const { channel } = await start();
  // There is no such type of a field.
  const lie = Buffer.of(15);
  const alpha = methodsOf("grpc.reflection.v1alpha.ServerReflection");
  const call = channel.duplex(alpha("ServerReflectionInfo", DUPLEX, bytes, bytes));
  call.write(textField(LIST_SERVICES, "*"));
  const [services] = (await once(call, "data")) as [Buffer];
  const watching = channel.serverStream(watch, lie);
  watching.resume();
  const failures = Promise.all([once(call, "error"), once(watching, "error")]);
  call.write(lie);

  expect(services.toString("latin1")).toContain("quorumlog.v1.NameServer");
  const INVALID_ARGUMENT = 3;
  for (const [error] of await failures) expect(error).toMatchObject({ code: INVALID_ARGUMENT });
  await expect(channel.call(check, lie)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  const list = health("List", UNARY, bytes, bytes);
  const listed = await channel.call(list, Buffer.alloc(0));
  expect(listed.toString("latin1")).toContain("quorumlog.v1.NameServer");
});

test("reflection lists the services of this port, and has their messages", async () => {
  const { channel } = await start();
  const call = channel.duplex(info);
  call.on("error", () => undefined);

  call.write(textField(LIST_SERVICES, "*"));
  const [services] = (await once(call, "data")) as [Buffer];
  call.write(textField(FILE_CONTAINING_SYMBOL, "quorumlog.v1.NameServer"));
  const [file] = (await once(call, "data")) as [Buffer];
  call.end();

  expect(services.toString("latin1")).toContain("quorumlog.v1.NameServer");
  expect(services.toString("latin1")).not.toContain("quorumlog.v1.Broker");
  for (const name of ["GetClusterRequest", "queue_group_ids", "metadata_version"])
    expect(file.toString("latin1")).toContain(name);
});

test("who asks for reflection and does not read is not listened to", async () => {
  const { channel } = await start();
  const call = channel.duplex(info);
  call.on("error", () => undefined);
  // With a field that nobody knows, for the connection not to hold many of them.
  const unknown = Buffer.concat([Buffer.of(15 * 8 + 2, 0xe8, 0x07), Buffer.alloc(1_000)]);
  const question = Buffer.concat([
    textField(FILE_CONTAINING_SYMBOL, "quorumlog.v1.NameServer"),
    unknown,
  ]);
  call.write(question);
  await once(call, "data");
  call.pause();

  let takenCount = 0;
  for (let i = 0; i < 20_000; i += 1)
    call.write(question, () => {
      takenCount += 1;
    });
  await new Promise((resolve) => {
    setTimeout(resolve, 1_000);
  });

  // What the connection holds on its way, and no more.
  expect(takenCount).toBeLessThan(10_000);
  call.cancel();
});

test("health says that the port and its services serve, and then that they do not", async () => {
  const { server, channel } = await start();
  const serving = Buffer.of(8, 1);

  expect(await channel.call(check, Buffer.alloc(0))).toEqual(serving);
  expect(await channel.call(check, textField(1, "quorumlog.v1.NameServer"))).toEqual(serving);
  const watching = channel.serverStream(watch, Buffer.alloc(0));
  watching.on("error", () => undefined);
  expect((await once(watching, "data"))[0]).toEqual(serving);
  const closed = server.close(500);
  expect((await once(watching, "data"))[0]).toEqual(Buffer.of(8, 2));
  await closed;
});
