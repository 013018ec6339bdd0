/** Whether a broker group under a full load was as it should be: bounded, steady, nothing lost. */

import type { ReaderFigures } from "../peers/reader-process.ts";
import type { BrokerSample, Stretch } from "./broker-soak-group.ts";
import { type Finding, flatness, sum } from "./trend.ts";

/** Of one broker. */
const ANONYMOUS_MB_MAX = 400;

export function brokerFindings(run: {
  /** By broker. */
  readonly series: readonly (readonly BrokerSample[])[];
  readonly stretches: readonly Stretch[];
  readonly audit: ReaderFigures;
}): Finding[] {
  const { series, stretches, audit } = run;
  const most = Math.max(...series.flat().map(({ anonymousMb }) => anonymousMb));
  const failed = sum(stretches.map((stretch) => stretch.failed));
  const acked = sum(stretches.map((stretch) => stretch.messages));
  const { read, lost, damaged, repeated } = audit;
  return [
    flatness("memory is flat (anonymous)", series, ({ anonymousMb }) => anonymousMb),
    {
      what: `memory is below ${ANONYMOUS_MB_MAX} MB`,
      isGood: most < ANONYMOUS_MB_MAX,
      detail: `${most.toFixed(0)} MB at most, of one broker`,
    },
    flatness("disk is flat", series, ({ diskMb }) => diskMb),
    {
      what: "nothing acknowledged is lost",
      isGood: lost === 0 && damaged === 0 && read > 0,
      detail: `${lost} lost, ${damaged} damaged, ${repeated} twice, of ${read} that were read`,
    },
    {
      what: "no message failed",
      isGood: failed === 0 && acked > 0,
      detail: `${failed} failed, ${acked} acknowledged`,
    },
  ];
}
