/** `npm run mutants`: see `--help`. */

import { runMutants } from "./mutants.ts";

// An interrupted run removes its copies and ends its children, like any other.
// A closed terminal interrupts it, too.
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };
for (const [signal, code] of Object.entries(SIGNALS))
  process.once(signal, () => process.exit(code));

// Nobody reads on, as in `| head`: quietly, with what a shell reports of SIGPIPE.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(process.exitCode ?? 141);
});

process.exitCode = await runMutants(process.argv.slice(2), {
  print: (line) => process.stdout.write(`${line}\n`),
  complain: (line) => process.stderr.write(`${line}\n`),
});
