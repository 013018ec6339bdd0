// For other harnesses of real processes.
export { PatienceError, sleep, until, within } from "../patience.ts";
