/**
 * fast-check with a fixed seed: the gate checks the same cases every time. To look further, set
 * `PROPERTY_SEED` to another integer; a failure prints what replays it.
 */

import * as fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env["PROPERTY_SEED"] ?? 1) });

export { fc };
