/**
 * While a seed runs, the real world is out of bounds: whatever asks for real time, real chance or a
 * real timer would make the run depend on more than its seed, so it throws.
 */

type Stub = { readonly target: Record<string, unknown>; readonly key: string };

const STUBS: readonly Stub[] = [
  { target: Math as unknown as Record<string, unknown>, key: "random" },
  { target: Date as unknown as Record<string, unknown>, key: "now" },
  { target: performance as unknown as Record<string, unknown>, key: "now" },
  { target: globalThis, key: "setTimeout" },
  { target: globalThis, key: "setInterval" },
  { target: globalThis, key: "setImmediate" },
  { target: globalThis, key: "queueMicrotask" },
  { target: globalThis, key: "Date" },
  { target: crypto as unknown as Record<string, unknown>, key: "randomUUID" },
  { target: crypto as unknown as Record<string, unknown>, key: "getRandomValues" },
  { target: process as unknown as Record<string, unknown>, key: "hrtime" },
  { target: process as unknown as Record<string, unknown>, key: "nextTick" },
];

/** Runs `body`, which is synchronous, with the real clock, timers and chance out of reach. */
export function withoutRealWorld<T>(body: () => T): T {
  const saved = STUBS.map(({ target, key }) => Object.getOwnPropertyDescriptor(target, key));
  for (const { target, key } of STUBS)
    Object.defineProperty(target, key, {
      configurable: true,
      writable: true,
      value: outOfBounds(key),
    });
  try {
    return body();
  } finally {
    STUBS.forEach(({ target, key }, i) => {
      const descriptor = saved[i];
      if (descriptor === undefined) Reflect.deleteProperty(target, key);
      else Object.defineProperty(target, key, descriptor);
    });
  }
}

/** Throws when it is called, by `new`, or as the `now()` of what it stands for. */
function outOfBounds(key: string): object {
  function refuse(): never {
    throw new Error(`${key} is out of bounds in a simulation: its seed decides everything`);
  }
  return Object.assign(refuse, { now: refuse });
}
