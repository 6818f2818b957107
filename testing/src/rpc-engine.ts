/**
 * The carrier of the calls of all servers that tests start, unless a test chooses by itself: `RPC_ENGINE` of the
 * environment, so that the same tests run on both carriers (`pnpm test:stock`).
 */
export const rpcEngine: "direct" | "stock" = process.env.RPC_ENGINE === "stock" ? "stock" : "direct";
