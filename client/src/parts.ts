import { loadPart } from "./internal/load-part.ts";

/** Loads the transports by gRPC-Web. */
export const loadGrpcWeb = () => loadPart(() => import("./transports/grpc-web.ts"));

/** Loads the code of uploads and chats. */
export const loadStreams = () => loadPart(() => import("./streams/in-page.ts"));

/**
 * Loads what uploads and chats need, ahead of the first one. A page whose server is away, or has another version by now,
 * can't load it later. If it can't be loaded, the call that needs it says so.
 */
export function preloadStreams(): void {
  loadGrpcWeb().catch(() => {});
  loadStreams().catch(() => {});
}
