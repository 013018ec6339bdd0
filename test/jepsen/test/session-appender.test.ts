// Goal: an append within a session is stored once, however often its answer is lost.
// Method: a cluster in memory whose service loses answers of what it has done.

import { startCluster } from "@quorumlog/replica/testing";
import { Prng } from "@quorumlog/std";
import { expect, onTestFinished, test } from "vitest";
import { ServiceClient } from "../src/client/service-client.ts";
import { CallError } from "../src/service/call-error.ts";
import { serveLog } from "../src/service/log-service.ts";
import { SessionAppender } from "../src/workload/session-appender.ts";

test("what was not answered is asked for again, and stored once", async () => {
  const cluster = await startCluster({ nodes: 1 });
  onTestFinished(() => cluster.close());
  const log = await cluster.leader();
  let attempts = 0;
  const server = await serveLog(
    {
      append: (data, options) => log.append(data, options),
      openSession: (options) => log.openSession(options),
      session: (sessionId, sequence) => {
        const session = log.session(sessionId, sequence);
        return {
          append: async (data, options) => {
            const ack = await session.append(data, options);
            attempts += 1;
            if (attempts % 3 === 0) return ack;
            const lost = { code: "LEADERSHIP_LOST", outcome: "unknown", leaderId: null } as const;
            throw new CallError({ ...lost, message: "its answer is lost" });
          },
        };
      },
      read: (from, options) => log.read(from, options),
      readBarrier: (options) => log.readBarrier(options),
      status: () => log.status(),
    },
    { port: 0 },
  );
  onTestFinished(() => server.close());
  const nodes = new Map([[1, `127.0.0.1:${server.port}`]]);
  const target = { kind: "log", nodes, nameServers: [] } as const;
  const service = new ServiceClient({ target: () => target, prng: new Prng(1) });
  const session = new SessionAppender(service, new AbortController().signal);

  const offsets: number[] = [];
  for (let value = 0; value < 5; value++) offsets.push(await session.append({ value }));
  expect(offsets).toEqual([0, 1, 2, 3, 4]);
  expect(attempts).toBe(15);
  expect(log.status().nextOffset).toBe(5);
});
