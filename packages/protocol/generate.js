/**
 * Makes the codecs of `proto/`: `generated/messages.js` and its types. Run by `npm run generate`;
 * what it makes is not in the repository. The sources go along, for reflection: `generated/proto/`.
 *
 * The package's name is left out of the code: `PublishRequest`, not `quorumlog.v1.PublishRequest`.
 * On the wire it is in the names of the services alone, which `src/services.ts` has.
 */

import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const FOLDER = "quorumlog/v1";
const FLAGS =
  "--target static-module --wrap esm --force-number --no-create --no-verify --no-convert " +
  "--no-delimited --no-typeurl --no-service --dependency ../protobuf-runtime.js";

const require = createRequire(import.meta.url);
const run = (tool, args) => promisify(require(`protobufjs-cli/${tool}`).main)(args);
const here = dirname(fileURLToPath(import.meta.url));
const sources = join(here, "../../proto", FOLDER);
const outputs = join(here, "generated");

const copies = mkdtempSync(join(tmpdir(), "quorumlog-proto-"));
try {
  mkdirSync(join(copies, FOLDER), { recursive: true });
  const files = readdirSync(sources).filter((name) => name.endsWith(".proto"));
  for (const name of files) {
    const text = readFileSync(join(sources, name), "utf8");
    writeFileSync(join(copies, FOLDER, name), text.replace(/^package .*;$/mu, ""));
  }
  rmSync(join(outputs, "proto"), { recursive: true, force: true });
  mkdirSync(join(outputs, "proto"), { recursive: true });
  cpSync(sources, join(outputs, "proto", FOLDER), { recursive: true });
  const code = join(outputs, "messages.js");
  const inputs = files.map((name) => join(copies, FOLDER, name));
  await run("pbjs", [...FLAGS.split(" "), "--path", copies, "--out", code, ...inputs]);
  const types = join(outputs, "messages.d.ts");
  await run("pbts", ["--out", types, code]);
  // Numbers are numbers here: a library of longer ones is named, and neither used nor required.
  writeFileSync(types, readFileSync(types, "utf8").replace('import Long = require("long");\n', ""));
} finally {
  rmSync(copies, { recursive: true, force: true });
}
