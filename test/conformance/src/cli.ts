/** `npm run conformance`: see `--help`. */

import { runConformance } from "./conformance.ts";

process.exitCode = await runConformance(process.argv.slice(2), {
  print: (line) => process.stdout.write(`${line}\n`),
  complain: (line) => process.stderr.write(`${line}\n`),
});
