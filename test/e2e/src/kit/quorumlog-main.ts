/** The command line, as it was built. */
export const QUORUMLOG: URL = new URL("../../../../packages/cli/dist/main.js", import.meta.url);
