/** Why a call to a service was not answered, as it goes over the wire. */

/** `not-applied`: it was not done, and never will be. */
export type CallOutcome = "not-applied" | "unknown";

export interface CallRefusal {
  readonly code: string;
  readonly outcome: CallOutcome;
  /** Who leads, as far as whoever was asked knows. */
  readonly leaderId: number | null;
  readonly message: string;
}

export class CallError extends Error {
  override readonly name = "CallError";
  readonly code: string;
  readonly outcome: CallOutcome;
  readonly leaderId: number | undefined;

  constructor({ code, outcome, leaderId, message }: CallRefusal, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.outcome = outcome;
    this.leaderId = leaderId ?? undefined;
  }
}

/** Of a call that asks for what there is not, or with what does not fit. */
export function badCall(message: string): CallError {
  return new CallError({
    code: "INVALID_ARGUMENT",
    outcome: "not-applied",
    leaderId: null,
    message,
  });
}

/** Whatever a call has ended with; of what says nothing of its outcome, that is unknown. */
export function refusalOf(error: unknown): CallRefusal {
  const thrown = (error instanceof Error ? error : new Error(String(error))) as Error &
    Partial<Record<"code" | "outcome" | "leaderId", unknown>>;
  const { code, outcome, leaderId, name, message } = thrown;
  return {
    code: typeof code === "string" ? code : name,
    outcome: outcome === "not-applied" ? outcome : "unknown",
    leaderId: typeof leaderId === "number" ? leaderId : null,
    message,
  };
}
