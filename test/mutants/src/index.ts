export { runMutants } from "./mutants.ts";

// For the process that runs seeds in a copy of the project.
export { driveSeeds } from "./seed-driver.ts";
