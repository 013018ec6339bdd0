/** Something in a history that no correct system can have shown. */

export interface Anomaly<Kind extends string = string> {
  readonly kind: Kind;
  readonly message: string;
  /** Indexes of the events that show it. */
  readonly events: readonly number[];
}
