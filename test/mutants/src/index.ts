export { type Bug, foreignBug, plantedBugs } from "./bug.ts";
export { type Finished, runNode } from "./command.ts";
export { runMutants } from "./mutants.ts";
export { PatchError } from "./patch.ts";
export { plant } from "./plant.ts";
export { ending } from "./stage.ts";
export { makeParentFolder, Workspace, WorkspaceError } from "./workspace.ts";

// For the process that runs seeds in a copy of the project.
export { driveSeeds } from "./seed-driver.ts";
