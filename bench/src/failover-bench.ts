/**
 * `npm run bench -- failover`: how long nothing is acknowledged when the leader is killed, paused,
 * cut off, or hands over, at half of the load that the group can take.
 */

import { mkdirSync } from "node:fs";
import {
  drawFailover,
  type FailoverRow,
  type Fault,
  FAULT_NAMES,
  FAULTS,
} from "./drawings/failover-drawing.ts";
import { OUTCOME_FOLDER, writeOutcome } from "./outcome/outcome.ts";
import { FailoverGroup, pause } from "./failover/failover-group.ts";
import { machineTime } from "./failover/failover-node.ts";

const PEAK_MS = 3_000;
const GAP_DEADLINE_MS = 20_000;
const CALM_MS = 500;

export async function runFailoverBench({ times }: { readonly times: number }): Promise<void> {
  const folder = OUTCOME_FOLDER;
  mkdirSync(folder, { recursive: true });
  const rows: FailoverRow[] = [];
  for (const fault of FAULTS) rows.push(await measure(fault, times, folder));
  console.log(`\n${"".padEnd(34)}   at load    median     worst  (ms without an acknowledgement)`);
  for (const { fault, perSecond, gapsMs } of rows) {
    const sorted = gapsMs.toSorted((a, b) => a - b);
    const cells = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)].map((gap) => {
      return (gap ?? Number.NaN).toFixed(0).padStart(10);
    });
    const rate = `${Math.round(perSecond).toLocaleString("en-US")}/s`.padStart(10);
    console.log(`${FAULT_NAMES[fault].padEnd(34)}${rate}${cells.join("")}`);
  }
  await writeOutcome({ bench: "failover", results: { times, rows }, draw: drawFailover });
}

async function measure(fault: Fault, times: number, folder: string): Promise<FailoverRow> {
  const group = await FailoverGroup.start(folder, fault === "partition");
  try {
    const perSecond = (await group.peak(PEAK_MS)) / 2;
    await group.setRate(perSecond);
    const gapsMs: number[] = [];
    for (let i = 0; i < times; i++) {
      const leaderId = await group.leader();
      await pause(CALM_MS);
      const gap = await strike(group, fault, { leaderId, perSecond });
      process.stderr.write(`${FAULT_NAMES[fault]} ${i + 1}/${times}: ${gap.toFixed(0)} ms\n`);
      gapsMs.push(gap);
    }
    return { fault, perSecond, gapsMs };
  } finally {
    await group.stop();
  }
}

/** @returns from the fault, or the last acknowledgement before a transfer, to the next one. */
async function strike(
  group: FailoverGroup,
  fault: Fault,
  { leaderId, perSecond }: { readonly leaderId: number; readonly perSecond: number },
): Promise<number> {
  const next = new Promise<number>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error("no append was acknowledged in time"));
    }, GAP_DEADLINE_MS);
    group.onFirstAck((nodeId, at) => {
      if (nodeId === leaderId) return;
      clearTimeout(timer);
      resolve(at);
    });
  });
  const startedAt = machineTime();
  switch (fault) {
    case "kill": {
      group.signal(leaderId, "SIGKILL");
      const gap = (await next) - startedAt;
      await group.restart(leaderId, perSecond);
      return gap;
    }
    case "pause": {
      group.signal(leaderId, "SIGSTOP");
      const gap = (await next) - startedAt;
      group.signal(leaderId, "SIGCONT");
      return gap;
    }
    case "partition": {
      group.isolate(leaderId);
      const gap = (await next) - startedAt;
      await pause(CALM_MS);
      await group.heal();
      return gap;
    }
    default: {
      await group.ask(leaderId, { type: "transfer", to: (leaderId % 3) + 1 });
      const at = await next;
      return at - (await group.state(leaderId)).lastAckAt;
    }
  }
}
