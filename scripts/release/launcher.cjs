#!/usr/bin/env node
/**
 * What `rollcall-server` of a release runs: it checks Node.js before the bundle, whose imports an
 * older one does not have. Copied as it is; plain enough for any Node.js.
 */
const NEEDED_MAJOR = 26;
const { node } = process.versions;

if (Number(node.split(".")[0]) < NEEDED_MAJOR) {
  process.stderr.write(`Node.js ${NEEDED_MAJOR} or newer is needed; this is ${node}.\n`);
  process.exitCode = 2;
} else {
  import("./server/dist/server.mjs");
}
