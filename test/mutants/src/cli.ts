/** `npm run mutants`: see `--help`. */

import { runMutants } from "./mutants.ts";

// An interrupted run removes its copies and ends its children, like any other.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

process.exitCode = await runMutants(process.argv.slice(2), {
  print: (line) => process.stdout.write(`${line}\n`),
  complain: (line) => process.stderr.write(`${line}\n`),
});
