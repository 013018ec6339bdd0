// Goal: whoever configures a transport hears of every mistake at once.

import { expect, test } from "vitest";
import { parseTransportOptions, TransportOptionsError } from "../src/index.ts";
import { TOKEN } from "./kit/node.ts";

const GOOD = {
  clusterId: "orders",
  nodeId: 1,
  incarnation: 1,
  listen: "127.0.0.1:0",
  token: TOKEN,
};

function problemsOf(input: Record<string, unknown>): readonly string[] {
  try {
    parseTransportOptions(input);
    return [];
  } catch (error) {
    if (error instanceof TransportOptionsError) return error.problems;
    throw error;
  }
}

test("the defaults", () => {
  expect(parseTransportOptions(GOOD)).toEqual({
    clusterId: "orders",
    nodeId: 1,
    incarnation: 1,
    listen: { host: "127.0.0.1", port: 0 },
    token: Buffer.from(TOKEN),
    tls: undefined,
    frameBytesMax: 16 * 1024 * 1024,
    controlBytesMax: 4 * 1024 * 1024,
    bulkBytesMax: 32 * 1024 * 1024,
    pingMs: 500,
    silenceMs: 2_000,
    connectMs: 1_000,
    handshakeMs: 2_000,
    handshakeCountMax: 64,
    redialMsMin: 20,
    redialMsMax: 1_000,
  });
});

test("every problem is in one error", () => {
  const problems = problemsOf({
    clusterId: "",
    nodeId: -1,
    incarnation: "1",
    listen: "nowhere",
    token: "short",
    frameBytesMax: 1.5,
    bulkBytesMax: 2 ** 40,
    surprise: true,
  });

  expect(problems).toEqual([
    "surprise: unknown option",
    "frameBytesMax: 1.5 is not an integer in [1024, 268435456]",
    "bulkBytesMax: 1099511627776 is not an integer in [65536, 1073741824]",
    "clusterId: not a text of 1 to 256 bytes",
    "nodeId: not an integer in [0, 2^53)",
    "incarnation: not an integer in [0, 2^53)",
    'listen: "nowhere": no port: expected host:port',
    "token: not a text, or bytes, of 16 bytes or more",
  ]);
});

test.each([
  [{ token: undefined }, "token: required without tls"],
  [{ silenceMs: 999 }, "silenceMs: must be at least 2 * pingMs"],
  [{ redialMsMin: 2_000 }, "redialMsMax: must be at least redialMsMin"],
  [{ clusterId: "ä".repeat(129) }, "clusterId: not a text of 1 to 256 bytes"],
  [{ listen: 9876 }, "listen: not a text host:port"],
  [{ tls: "yes" }, "tls: not an object"],
  [{ tls: { key: "k", cert: "c", ca: "a" } }, "tls: "],
  [{ tls: { key: 1, cert: "c", ca: "a" } }, "tls.key: not PEM"],
  [{ tls: { key: "k", cert: "c", ca: "a", passphrase: "x" } }, "tls.passphrase: unknown option"],
])("%o is refused", (change, problem) => {
  const [first, ...others] = problemsOf({ ...GOOD, ...change });

  expect(first).toContain(problem);
  expect(others).toEqual([]);
});

test("no message has the token in it", () => {
  expect(problemsOf({ ...GOOD, token: "hunter2" }).join(" ")).not.toContain("hunter2");
});
