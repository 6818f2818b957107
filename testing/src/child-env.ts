import { join } from "node:path";
import { root } from "./root.ts";
import { rpcEngine } from "./rpc-engine.ts";

/**
 * Environment of each process that a test starts. Programs are found, the machine's own settings do not leak in, and
 * Node.js compiles each module once for all of them.
 */
export const childEnv: { readonly PATH: string; readonly NODE_COMPILE_CACHE: string; readonly RPC_ENGINE: string } = {
  PATH: process.env.PATH ?? "",
  NODE_COMPILE_CACHE: join(root, "node_modules/.cache/node-compile"),
  RPC_ENGINE: rpcEngine,
};
