/**
 * A process of clients: does what its workload says, and tells what became of it.
 *
 *     node dist/client/client-main.js SETTINGS     SETTINGS is the JSON of `ClientSettings`
 *
 * Ends with whoever has started it.
 */

import { endWithParent, tell } from "@quorumlog/integration/testing";
import { Prng } from "@quorumlog/std";
import { targetOfMessage, type Target } from "../cluster/target.ts";
import { workloadNamed } from "../workload/all-workloads.ts";
import type { LogicalClient } from "../workload/workload.ts";
import type { ClientSettings, ClientWord, HarnessWord } from "./client-words.ts";
import { Driver } from "./driver.ts";
import { Recorder } from "./recorder.ts";

const settings = JSON.parse(process.argv[2] ?? "") as ClientSettings;
const { seed, rate, life, clientCount, slots } = settings;
const workload = workloadNamed(settings.workload);
/** No run has as many processes of clients one after another. */
const LIVES_MAX = 65_536;

const startedAt = BigInt(settings.startedAt);
const now = (): number => Number(process.hrtime.bigint() - startedAt);
const prng = new Prng(seed * LIVES_MAX + life);
/** Clients ask for nothing more; all is over. */
const finish = new AbortController();
const end = new AbortController();
let target: Target = targetOfMessage(settings.target);
let uniqueCount = 0;

/** @returns once it was sent: nobody tells more than the harness can take. */
function say(word: ClientWord): Promise<void> {
  return new Promise((resolve) => {
    tell(word, resolve);
  });
}

async function fail(error: unknown): Promise<never> {
  const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
  await say({ type: "failed", error: words });
  process.exit(1);
}

const recorder = new Recorder({ now, send: say });

function open(): Promise<readonly LogicalClient[]> {
  return workload.open({
    get target() {
      return target;
    },
    slots: slots.map(([slot]) => slot),
    clientCount,
    seed,
    prng: prng.fork(),
    rate,
    life,
    unique: () => {
      uniqueCount += 1;
      return uniqueCount * LIVES_MAX + life;
    },
    now,
    signal: end.signal,
  });
}

async function mix(clients: readonly LogicalClient[]): Promise<Driver[]> {
  const drivers = clients.map((client, i) => {
    const [, number = 0] = slots[i] ?? [];
    return new Driver({
      client,
      recorder,
      prng: prng.fork(),
      process: number,
      processStep: clientCount,
      intervalMs: (1_000 * clientCount) / rate,
    });
  });
  await Promise.all(drivers.map((driver) => driver.mix(finish.signal)));
  await recorder.flushed();
  return drivers;
}

/** The first process of all makes what clients need, before any other is there. */
const prepared = life === 0 ? workload.prepare(target) : Promise.resolve();
const finished = prepared.then(open).then(mix);
finished.catch(fail);

process.on("message", (message) => {
  const word = message as HarnessWord;
  if (word.type === "target") target = targetOfMessage(word.target);
  else if (word.type === "finish") {
    finish.abort();
    finished.then(() => say({ type: "finished" })).catch(fail);
  } else
    finished
      .then((drivers) => Promise.all(drivers.map((driver) => driver.drain(end.signal))))
      .then(() => recorder.close())
      .then(() => say({ type: "drained" }))
      .catch(fail);
});
// What is open is let go of by its end: nothing that was acknowledged depends on a last word.
endWithParent();
process.once("unhandledRejection", (error) => void fail(error));
prepared.then(() => say({ type: "started" })).catch(fail);
