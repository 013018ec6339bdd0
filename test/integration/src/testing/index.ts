// For other harnesses of real processes.
export { freePort } from "../port.ts";
export { PatienceError, sleep, until, within } from "../patience.ts";
