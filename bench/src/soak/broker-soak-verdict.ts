/** Whether a broker group under a full load was as it should be: bounded, steady, nothing lost. */

import type { BrokerSample, SoakAudit, Stretch } from "./broker-soak-group.ts";
import { type Finding, flatness, largest, sum } from "./trend.ts";

/** Of one broker. */
const ANONYMOUS_MB_MAX = 400;

export function brokerFindings(run: {
  /** By broker. */
  readonly series: readonly (readonly BrokerSample[])[];
  readonly stretches: readonly Stretch[];
  readonly audit: SoakAudit;
}): Finding[] {
  const { series, stretches, audit } = run;
  const most = largest(series.flat().map(({ anonymousMb }) => anonymousMb));
  const acked = sum(stretches.map((stretch) => stretch.messages));
  const { read, lost, damaged, repeated, unacknowledged } = audit;
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
      what: "every message is acknowledged",
      isGood: unacknowledged === 0 && acked > 0,
      detail: `all but ${unacknowledged}, since the first; ${acked} in the time that counts`,
    },
  ];
}
