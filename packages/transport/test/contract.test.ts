// Goal: the transport over TCP and its twin in memory are the same to those who use them.
// Method: one contract, over loopback and on virtual time, with and without jitter.

import { Prng } from "@quorumlog/std";
import { describe, onTestFinished, test } from "vitest";
import { formatAddress, openTcpTransport, parseTransportOptions } from "../src/index.ts";
import {
  MemoryNetwork,
  transportContract,
  type TransportHarness,
  VirtualTime,
} from "../src/testing/index.ts";
import { closed, TOKEN, until } from "./kit/node.ts";

function overTcp(): TransportHarness {
  const failures: unknown[] = [];
  const addresses = new Map<number, string>();
  return {
    failures,
    until,
    open: async (nodeId) => {
      const listen = addresses.get(nodeId) ?? "127.0.0.1:0";
      const common = { clusterId: "test", nodeId, incarnation: 1, listen, token: TOKEN };
      const transport = await openTcpTransport({
        options: parseTransportOptions(common),
        log: () => undefined,
        onFailure: (error) => failures.push(error),
      });
      onTestFinished(() => closed(transport));
      const address = formatAddress(transport.address);
      addresses.set(nodeId, address);
      return { transport, address };
    },
  };
}

function inMemory(latencyMs: { min: number; max: number }): TransportHarness {
  const time = new VirtualTime();
  const failures: unknown[] = [];
  const network = new MemoryNetwork({
    scheduler: time,
    prng: new Prng(1),
    latencyMs,
    onFailure: (error) => failures.push(error),
  });
  // What a case awaits that is not a condition happens at once, in virtual time.
  const pass = setInterval(() => {
    time.pass(10);
  }, 1);
  onTestFinished(() => {
    clearInterval(pass);
  });
  return {
    failures,
    until: (what, condition) =>
      time.passUntil(condition, 60_000)
        ? Promise.resolve()
        : Promise.reject(new Error(`not in a minute: ${what}`)),
    open: (nodeId) =>
      Promise.resolve({
        transport: network.transport({ nodeId, incarnation: 1 }),
        address: `node-${nodeId}:1`,
      }),
  };
}

describe("over TCP", () => {
  test.each(transportContract)("$name", ({ run }) => run(overTcp()));
});

describe("in memory", () => {
  test.each(transportContract)("$name", ({ run }) => run(inMemory({ min: 1, max: 1 })));
});

describe("in memory, with jitter", () => {
  test.each(transportContract)("$name", ({ run }) => run(inMemory({ min: 1, max: 150 })));
});
