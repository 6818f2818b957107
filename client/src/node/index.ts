export { createRollcall, type NodeRollcall, type NodeRollcallOptions, type NodeStreams } from "./create-rollcall.ts";
export { HttpVersionError } from "./http/http-version-error.ts";
export type { PoolOptions } from "./http/pool-options.ts";
export type { TlsFiles } from "./tls-files.ts";
export { createNodeTransport, type NodeTransport, type NodeTransportOptions } from "./transport.ts";
