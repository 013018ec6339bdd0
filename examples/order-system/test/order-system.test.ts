// Goal: the example does what its README says, and its totals agree.
// Method: run it as a newcomer does, built, with fewer orders; read the table at its end.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const ORDERS = 300;

test("every service comes to what was published for it, whoever is killed", async () => {
  const example = spawn(process.execPath, [MAIN, String(ORDERS)]);
  onTestFinished(() => {
    example.kill();
  });
  let said = "";
  for (const stream of [example.stdout, example.stderr])
    stream.on("data", (bytes: Buffer) => {
      said += bytes.toString();
    });

  const [code] = (await once(example, "exit")) as [number | null];

  expect(said).toContain("logistics is killed");
  expect(said).toContain("the leader, is killed");
  for (const [service, events] of [
    ["stock", ORDERS],
    ["coupon", ORDERS],
    ["logistics", 2 * ORDERS],
    ["notification", 4 * ORDERS],
  ])
    expect(said).toMatch(new RegExp(`'${service}' +│ ${events} +│ ${events} .* true +│$`, "mu"));
  expect(code).toBe(0);
}, 180_000);
