/**
 * `npm run fuzz`: bytes that lie, at every port of a cluster and in the broker's state machine; see
 * `--help`.
 */

import { exitCodeOf } from "@quorumlog/std";
import { runApply } from "./apply/apply-run.ts";
import { HELP, parseRequest, type Request } from "./flags.ts";
import { PortFuzzer } from "./ports/port-fuzzer.ts";

const PROGRESS_SEEDS = 10;

/** @returns the exit code of the process. */
async function main(argv: readonly string[]): Promise<number> {
  const request = parseRequest(argv);
  if (request === undefined) {
    console.log(HELP.trimEnd());
    return 0;
  }
  const deadline = performance.now() + request.timeMs;
  let isWell = true;
  if (request.parts.includes("apply")) isWell = fuzzApply(request, deadline);
  if (request.parts.includes("ports")) isWell = (await fuzzPorts(request, deadline)) && isWell;
  return isWell ? 0 : 1;
}

function fuzzApply({ from, seeds }: Request, deadline: number): boolean {
  let records = 0;
  let done = 0;
  for (let seed = from; seed < from + seeds && performance.now() < deadline; seed++)
    try {
      records += runApply(seed).records;
      done += 1;
    } catch (error) {
      tell("apply", seed, error);
      return false;
    }
  console.log(`apply: ${done} seeds, ${records} records, nothing found`);
  return true;
}

async function fuzzPorts({ from, seeds }: Request, deadline: number): Promise<boolean> {
  const fuzzer = await PortFuzzer.open();
  let seed = from;
  try {
    for (; seed < from + seeds && performance.now() < deadline; seed++) {
      await fuzzer.burst(seed);
      const done = seed - from + 1;
      if (done % PROGRESS_SEEDS === 0) console.log(`ports: ${done} bursts`);
    }
    console.log(`ports: ${seed - from} bursts, nothing found`);
    return true;
  } catch (error) {
    tell("ports", seed, error);
    return false;
  } finally {
    await fuzzer.close();
  }
}

function tell(part: string, seed: number, error: unknown): void {
  console.log(`${part}: seed ${seed}: ${error instanceof Error ? error.message : String(error)}`);
  if (error instanceof Error && error.cause instanceof Error) console.log(error.cause.stack);
  console.log(`again: npm run fuzz -- --only ${part} --from ${seed} --seeds 1`);
}

process.exitCode = await exitCodeOf(
  () => main(process.argv.slice(2)),
  (line) => {
    console.error(line);
  },
);
