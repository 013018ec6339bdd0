import { connect } from "node:http2";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { RpcServer } from "../src/index.ts";
import { WINDOW_BYTES } from "../src/rpc-window.ts";

test("a client may have a whole window on its way, of a stream and of the connection", async () => {
  const server = new RpcServer({
    listen: "127.0.0.1:0",
    onDefect: (error) => {
      throw error;
    },
  });
  await server.open();
  onTestFinished(() => server.close(0));
  const session = connect(`http://127.0.0.1:${server.port}`);
  onTestFinished(() => {
    session.destroy();
  });
  const [settings] = await once(session, "remoteSettings");
  expect(settings).toMatchObject({ initialWindowSize: WINDOW_BYTES });
  await expect.poll(() => session.state.remoteWindowSize).toBe(WINDOW_BYTES);
});
