#!/usr/bin/env node
// Here before anything is built: npm links what is there when it installs.
await import("../dist/cli.js");
