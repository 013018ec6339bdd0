// The simulator of the real replica, for whoever runs seeds by program.
export { runSeed, type SeedFailure, type SeedResult } from "./run/seed-run.ts";
