/**
 * Whether a log is what its clients were told it is.
 *
 * - Replicas hold the same records, byte for byte, from the same first offset on.
 * - Offsets are dense, and every record is one that a client has written.
 * - What was acknowledged is at its offset, unless it was trimmed.
 * - No record is there twice, and none that was said not to be applied.
 * - What was acknowledged before something else was asked for comes before it.
 */

import type { Journal, JournalEntry } from "./journal.ts";
import type { RecordAudit } from "./record-audit.ts";

/** What a replica holds. */
export interface ReplicaAudit {
  readonly nodeId: number;
  readonly audit: RecordAudit;
}

export interface CheckInput {
  readonly journal: Journal;
  readonly replicas: readonly ReplicaAudit[];
  /** Nobody has asked to trim this offset or any behind it. */
  readonly trimmedBefore: number;
}

export interface CheckResult {
  /** What is wrong, at most some of each kind. */
  readonly problems: readonly string[];
  readonly acknowledged: number;
  /** Acknowledged, retained, and not there. */
  readonly lost: number;
  readonly records: number;
  /** Stored, though the client was never told so. */
  readonly ambiguousStored: number;
}

const SHOWN_COUNT_MAX = 5;

export function checkLog(input: CheckInput): CheckResult {
  const problems = new Problems();
  demandEqual(input.replicas, problems);
  const first = input.replicas[0];
  if (first === undefined) {
    problems.add("replicas", "there is no replica to look at");
    return { problems: problems.texts(), acknowledged: 0, lost: 0, records: 0, ambiguousStored: 0 };
  }
  const { audit } = first;
  if (audit.firstOffset > input.trimmedBefore)
    problems.add("trim", `offset ${input.trimmedBefore} is trimmed: begins ${audit.firstOffset}`);
  const stored = storedRecords(first, input.journal, problems);
  let lost = 0;
  const entries = input.journal.entries();
  for (const entry of entries) {
    const at = stored.get(entry);
    const name = `record ${entry.client}/${entry.sequence}`;
    if (entry.outcome === "acknowledged" && entry.offset >= audit.firstOffset) {
      if (at !== entry.offset) {
        lost += 1;
        problems.add("lost", `${name}: acknowledged at ${entry.offset}, found at ${at}`);
      }
    } else if (entry.outcome === "not-applied" && at !== undefined)
      problems.add("not-applied", `${name}: said not to be applied, found at ${at}`);
    else if (entry.outcome === "pending") problems.add("pending", `${name}: never answered`);
  }
  demandOrder(entries, problems);
  const acknowledged = entries.filter(({ outcome }) => outcome === "acknowledged");
  const ambiguousStored = [...stored.keys()].filter(({ outcome }) => outcome === "unknown");
  return {
    problems: problems.texts(),
    acknowledged: acknowledged.length,
    lost,
    records: audit.clients.length,
    ambiguousStored: ambiguousStored.length,
  };
}

class Problems {
  readonly #byKind = new Map<string, { count: number; readonly texts: string[] }>();

  add(kind: string, text: string): void {
    const found = this.#byKind.get(kind) ?? { count: 0, texts: [] };
    this.#byKind.set(kind, found);
    found.count += 1;
    if (found.texts.length < SHOWN_COUNT_MAX) found.texts.push(`${kind}: ${text}`);
  }

  texts(): string[] {
    return [...this.#byKind.entries()].flatMap(([kind, { count, texts }]) => {
      return count > texts.length
        ? [...texts, `${kind}: and ${count - texts.length} more`]
        : [...texts];
    });
  }
}

function demandEqual(replicas: readonly ReplicaAudit[], problems: Problems): void {
  const [first, ...others] = replicas;
  for (const { nodeId, audit } of others) {
    const expected = describe((first as ReplicaAudit).audit);
    if (describe(audit) !== expected)
      problems.add("replicas", `node ${nodeId} holds ${describe(audit)}, others ${expected}`);
  }
}

function describe({ firstOffset, nextOffset, hash }: RecordAudit): string {
  return `[${firstOffset}, ${nextOffset}) ${hash.slice(0, 12)}`;
}

/** Where each record is that a client has asked for. */
function storedRecords(
  { nodeId, audit }: ReplicaAudit,
  journal: Journal,
  problems: Problems,
): Map<JournalEntry, number> {
  const stored = new Map<JournalEntry, number>();
  if (audit.clients.length !== audit.nextOffset - audit.firstOffset)
    problems.add("dense", `node ${nodeId} has ${audit.clients.length} records`);
  audit.clients.forEach((client, i) => {
    const offset = audit.firstOffset + i;
    const entry = journal.find(client, audit.sequences[i] as number);
    if (entry === undefined)
      problems.add("bytes", `node ${nodeId} has what nobody wrote at offset ${offset}`);
    else if (stored.has(entry))
      problems.add(
        "twice",
        `record ${entry.client}/${entry.sequence} is at ${stored.get(entry)} and ${offset}`,
      );
    else stored.set(entry, offset);
  });
  return stored;
}

/** Linearizable: an append that was over before another began has the lower offset. */
function demandOrder(entries: readonly JournalEntry[], problems: Problems): void {
  const acknowledged = entries.filter(({ outcome }) => outcome === "acknowledged");
  const byStart = acknowledged.toSorted((a, b) => a.invokedAt - b.invokedAt);
  const byEnd = acknowledged.toSorted((a, b) => a.endedAt - b.endedAt);
  let highest = -1;
  let ended = 0;
  for (const entry of byStart) {
    for (; (byEnd[ended]?.endedAt ?? Number.POSITIVE_INFINITY) < entry.invokedAt; ended++)
      highest = Math.max(highest, (byEnd[ended] as JournalEntry).offset);
    if (entry.offset <= highest)
      problems.add(
        "order",
        `record ${entry.client}/${entry.sequence} is at ${entry.offset}, and ${highest} was before`,
      );
  }
}
