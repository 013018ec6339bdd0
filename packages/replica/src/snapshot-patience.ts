/**
 * How long the two ends of a snapshot's transfer wait for each other.
 *
 * The receiver does not know how fast the sender may send, nor to how many others: it is generous,
 * and what it asks twice costs nothing. Neither end gives up because the other is slow.
 */

/** A receiver asks again when a chunk takes longer, and waits longer for that one. */
export const RETRY_MS_MIN = 1_000;
export const RETRY_MS_MAX = 8_000;

/** Nothing new was there for so long: a receiver gives up, and keeps what it has. */
export const NO_PROGRESS_MS_MAX = 60_000;

/** A receiver begins again that much later if its disk is full, or what it got is damaged. */
export const PAUSE_MS = 10_000;

/** A receiver that does not begin so soon was not told. */
export const FIRST_REQUEST_MS_MAX = 3_000;

/** A receiver that asks for nothing for so long is gone: two of its questions may be lost. */
export const IDLE_MS_MAX = 20_000;

/** The link had no room for a chunk: it is offered again that much later. */
export const BUSY_LINK_MS = 50;
