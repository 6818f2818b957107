#!/usr/bin/env node
/**
 * Checks the version of Node.js before the command is loaded. Without the check, an older one fails in the first call,
 * and its error names only a function that it lacks.
 */
import { isSupportedNode, NEEDED_NODE } from "./node-version.ts";

const { node } = process.versions;

if (isSupportedNode(node)) {
  await import("./main.ts");
} else {
  process.stderr.write(`Node.js ${NEEDED_NODE} is needed; this is ${node}.\n`);
  process.exitCode = 2;
}
