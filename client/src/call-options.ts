import type { CallOptions as ConnectCallOptions } from "@connectrpc/connect";
import type { OrUndefined } from "./internal/or-undefined.ts";

/** Options of one call: Connect's own. Undefined counts as left out. */
export type CallOptions = OrUndefined<ConnectCallOptions>;
