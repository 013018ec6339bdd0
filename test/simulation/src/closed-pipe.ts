/**
 * Ends the process without a word when nobody reads its output any more, as in `| head`.
 *
 * With the verdict if there is one by then; else with what a shell reports of SIGPIPE.
 */
export function endWithReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(process.exitCode ?? SIGPIPE_EXIT_CODE);
  });
}

const SIGPIPE_EXIT_CODE = 141;
