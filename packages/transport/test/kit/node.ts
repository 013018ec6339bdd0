/** Nodes on loopback, closed when the test is over. */

import { onTestFinished } from "vitest";
import {
  formatAddress,
  type LogFields,
  type LogLevel,
  openTcpTransport,
  parseTransportOptions,
  type TcpTransport,
  type TcpTransportInit,
} from "../../src/index.ts";
import { Recorder } from "../../src/testing/index.ts";
import type { GroupLink } from "../../src/transport.ts";

export const TOKEN = "a secret of thirty-two characters";
export const GROUP = 1;

export interface LogLine extends LogFields {
  readonly level: LogLevel;
  readonly message: string;
}

export interface TestNode {
  readonly transport: TcpTransport;
  readonly address: string;
  readonly receiver: Recorder;
  readonly link: GroupLink;
  readonly lines: LogLine[];
}

type Input = Record<string, unknown>;

/** @param given - Over what every node of these tests has. */
export async function openNode(
  nodeId: number,
  given: Input = {},
  parts: Partial<TcpTransportInit> = {},
): Promise<TestNode> {
  const common = { clusterId: "test", nodeId, incarnation: 1, listen: "127.0.0.1:0", token: TOKEN };
  const lines: LogLine[] = [];
  const transport = await openTcpTransport({
    options: parseTransportOptions({ ...common, ...given }),
    log: (level, message, fields) => lines.push({ level, message, ...fields }),
    ...parts,
  });
  onTestFinished(() => closed(transport));
  const receiver = new Recorder();
  const link = transport.attach(GROUP, receiver);
  return { transport, address: formatAddress(transport.address), receiver, link, lines };
}

export function closed(transport: { close(onClosed: () => void): void }): Promise<void> {
  return new Promise((resolve) => {
    transport.close(resolve);
  });
}

const DEADLINE_MS = 4_000;

/** Ends when the condition holds. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const endMs = performance.now() + DEADLINE_MS;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
    // oxlint-disable-next-line no-await-in-loop -- It waits for the world, turn by turn.
    await new Promise((resolve) => {
      setTimeout(resolve, 2);
    });
  }
}
