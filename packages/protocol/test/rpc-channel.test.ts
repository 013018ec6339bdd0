// Goal: a call that must not be lost without a word is sent when there is somebody to send it to.
// Method: a port that nobody listens on, and one that somebody does by and by.

import { expect, onTestFinished, test } from "vitest";
import { RpcChannel, RpcServer } from "../src/index.ts";

test("who is not there is not reached, and nothing was sent; who is there later is", async () => {
  const server = (): RpcServer =>
    new RpcServer({
      listen: `127.0.0.1:${port}`,
      onDefect: (error) => {
        throw error;
      },
    });
  let port = 0;
  const first = server();
  await first.open();
  ({ port } = first);
  const channel = new RpcChannel({ address: `127.0.0.1:${port}` });
  onTestFinished(() => {
    channel.close();
  });

  await channel.connect(10_000);
  await first.close();
  const away = channel.connect(10_000);

  await expect(away).rejects.toMatchObject({ code: "UNAVAILABLE", outcome: "not-applied" });
  const second = server();
  await second.open();
  onTestFinished(() => second.close());
  const reached = async (): Promise<boolean> =>
    channel.connect(10_000).then(
      () => true,
      () => false,
    );
  await expect.poll(reached, { timeout: 10_000 }).toBe(true);
});
