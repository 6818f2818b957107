#!/usr/bin/env node
/**
 * Checks the version of Node.js before the server is loaded. Without the check, an older one fails on the first import
 * that it lacks, and its error names only that import.
 */
import { isSupportedNode, NEEDED_NODE } from "./node-version.ts";

const { node } = process.versions;

if (isSupportedNode(node)) {
  await import("./main.ts");
} else {
  process.stderr.write(`Node.js ${NEEDED_NODE} is needed; this is ${node}.\n`);
  process.exitCode = 2;
}
