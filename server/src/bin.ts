#!/usr/bin/env node
/** Checks Node.js before the server is loaded: an older one lacks what it imports, and would only say that. */
const NEEDED_MAJOR = 26;
const { node } = process.versions;

if (Number(node.split(".")[0]) >= NEEDED_MAJOR) {
  await import("./main.ts");
} else {
  process.stderr.write(`Node.js ${NEEDED_MAJOR} or newer is needed; this is ${node}.\n`);
  process.exitCode = 2;
}
