/** What bytes can come from, and go to; and from where to where they do. */

/** A node is its id. Clients are all of them together: they are outside of the cluster. */
export type Place = number | "clients" | NameServerPlace;
export type NameServerPlace = `NameServer ${number}`;

/** One direction, whoever has dialed. */
export interface Way {
  readonly from: Place;
  readonly to: Place;
}

/** Between any of these and any of those. */
export function waysBetween(some: readonly Place[], others: readonly Place[]): Way[] {
  return some.flatMap((from) =>
    others.flatMap((to) => [
      { from, to },
      { from: to, to: from },
    ]),
  );
}

export function waysFrom(some: readonly Place[], others: readonly Place[]): Way[] {
  return some.flatMap((from) => others.map((to) => ({ from, to })));
}
