#!/usr/bin/env node
/** Checks Node.js before the server is loaded: an older one lacks what it imports, and would only say that. */
import { isSupportedNode, NEEDED_NODE } from "./node-version.ts";

const { node } = process.versions;

if (isSupportedNode(node)) {
  await import("./main.ts");
} else {
  process.stderr.write(`Node.js ${NEEDED_NODE} is needed; this is ${node}.\n`);
  process.exitCode = 2;
}
