/**
 * Carrier of calls in all servers that tests start, unless a test chooses one itself. It comes from `RPC_ENGINE`, so
 * that the same tests run on both carriers (`pnpm test:stock`).
 */
export const rpcEngine: "direct" | "stock" = process.env.RPC_ENGINE === "stock" ? "stock" : "direct";
