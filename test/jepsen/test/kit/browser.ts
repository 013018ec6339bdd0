/** A real browser without a window, if the machine has one. */

import { execFile } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const TIMEOUT_MS = 240_000;
const OUTPUT_BYTES_MAX = 256 * 1024 * 1024;

/** What is said where there is none. */
export const NO_BROWSER: string = `PATH has none of ${NAMES.join(", ")}: apt-get install chromium`;

export interface Page {
  /** As the scripts of the page have left it; without their own texts, and what they were given. */
  readonly dom: string;
  /** What was written to the console, errors among them. */
  readonly console: readonly string[];
}

export function findBrowser(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      // Not there, or not a program.
      return false;
    }
  });
}

/**
 * Opens a file as a person would from the disk: with no server, and no network.
 *
 * @param view - What its address has behind `#`.
 */
export async function openPage(browser: string, file: string, view: string = ""): Promise<Page> {
  const address = pathToFileURL(file).href + view;
  const { stdout, stderr } = await run(browser, ["--dump-dom", address]);
  const dom = stdout
    .split("</script>")
    .map((part) => part.split("<script")[0] ?? "")
    .join("");
  return { dom, console: stderr.split("\n").filter((line) => line.includes(":CONSOLE")) };
}

/** @param to - A .png file. */
export async function shootPage(
  browser: string,
  file: string,
  {
    to,
    isDark,
    height,
  }: { readonly to: string; readonly isDark: boolean; readonly height: number },
): Promise<void> {
  const dark = isDark ? ["--blink-settings=preferredColorScheme=0"] : [];
  const size = [`--screenshot=${to}`, `--window-size=1366,${height}`, "--hide-scrollbars"];
  await run(browser, [...dark, ...size, pathToFileURL(file).href]);
}

async function run(
  browser: string,
  args: readonly string[],
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const profile = mkdtempSync(join(tmpdir(), "quorumlog-browser-"));
  const common = [
    "--headless=new",
    // Its own sandbox wants a user that is not root; the page is ours.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--enable-logging=stderr",
    "--virtual-time-budget=20000",
    `--user-data-dir=${profile}`,
  ];
  try {
    return await promisify(execFile)(browser, [...common, ...args], {
      timeout: TIMEOUT_MS,
      maxBuffer: OUTPUT_BYTES_MAX,
    });
  } finally {
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}
