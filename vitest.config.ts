import { defineConfig } from "vitest/config";

/** Tests read sources, not dist: no build is needed to run them, and none can be stale. */
const conditions = ["@quorumlog/source", "module", "node", "development|production"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["packages/*/test/**/*.test.ts", "{test,examples}/*/test/**/*.test.ts"],
    environment: "node",
    // What hangs is found; a machine that is busy is not.
    testTimeout: 30_000,
  },
});
