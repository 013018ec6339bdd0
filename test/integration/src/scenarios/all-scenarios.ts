import type { Scenario } from "../scenario.ts";
import { asyncFlush } from "./async-flush.ts";
import { boundaries } from "./boundaries.ts";
import { damage } from "./damage.ts";
import { diskErrors } from "./disk-errors.ts";
import { fullDisk } from "./full-disk.ts";
import { kills } from "./kills.ts";
import { membership } from "./membership.ts";
import { partitions } from "./partitions.ts";
import { powerLoss } from "./power-loss.ts";
import { retention } from "./retention.ts";
import { rollingRestart } from "./rolling-restart.ts";
import { trims } from "./trims.ts";

export const ALL_SCENARIOS: readonly Scenario[] = [
  kills,
  powerLoss,
  asyncFlush,
  boundaries,
  diskErrors,
  damage,
  retention,
  membership,
  rollingRestart,
  trims,
  fullDisk,
  partitions,
];
