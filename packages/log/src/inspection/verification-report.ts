/** What `verify` prints. */

import { adviceFor, adviceWithoutRepair } from "./advice.ts";
import type { JudgedFinding, Verification } from "./verification.ts";

const FINDING_COUNT_MAX = 100;

export function describeVerification(verification: Verification): string[] {
  const { verdict, findings, segmentCount, frameCount, entryCount } = verification;
  const error = verification.refusal ?? verification.error;
  const read = `${segmentCount} segments, ${frameCount} frames, ${entryCount} of them entries`;
  const lines = [`${verdict}: ${read}, ${verification.bytesRead} bytes read`];
  lines.push(...findings.slice(0, FINDING_COUNT_MAX).map((finding) => `  ${lineOf(finding)}`));
  if (findings.length > FINDING_COUNT_MAX)
    lines.push(`  and ${findings.length - FINDING_COUNT_MAX} more: --json has them all`);
  if (verdict === "torn")
    lines.push("Harmless: nobody was told that it is durable, and the next start cuts it.");
  if (error !== undefined) lines.push(`The node would not start: ${error.code}: ${error.message}`);
  else if (verdict === "corrupt")
    lines.push(
      findings.some(({ isLost }) => isLost)
        ? "The node would start, and stop when it reads those entries."
        : "The node would start, and no entry is lost; but the disk changes what was written.",
    );
  if (verdict === "corrupt") lines.push(`What to do: ${adviceOn(verification)}`);
  return lines;
}

export function objectOfVerification(verification: Verification): object {
  const { refusal, verdict, ...rest } = verification;
  const error = refusal ?? verification.error;
  return {
    verdict,
    ...rest,
    isRepairable: refusal === undefined,
    error: error === undefined ? undefined : { code: error.code, message: error.message },
    advice: verdict === "corrupt" ? adviceOn(verification) : undefined,
  };
}

function adviceOn({ error, refusal }: Verification): string {
  if (refusal !== undefined) return adviceWithoutRepair();
  return adviceFor(error?.code ?? "LOG_CORRUPT");
}

function lineOf({ kind, file, offset, bytes, message, entries, isLost }: JudgedFinding): string {
  const length = bytes === 0 ? "" : `, ${bytes} bytes`;
  const range =
    entries === undefined
      ? ""
      : entries.first === entries.last
        ? `entry ${entries.first}`
        : `entries ${entries.first} to ${entries.last}`;
  const held = isLost ? ` (${range})` : kind === "corrupt" ? " (no entry that the log holds)" : "";
  return `${kind}: ${file}, byte ${offset}${length}: ${message}${held}`;
}
