import { loadPart } from "./internal/load-part.ts";

/** Loads the transports by gRPC-Web. */
export const loadGrpcWeb = () => loadPart(() => import("./transports/grpc-web.ts"));

/** Loads the code of uploads and chats. */
export const loadStreams = () => loadPart(() => import("./streams/in-page.ts"));

/**
 * Loads the code of uploads and chats before the first of them. Later, a page whose server is unavailable or has been
 * updated might be unable to load it. If it can't be loaded now, the call that needs it reports that.
 */
export function preloadStreams(): void {
  loadGrpcWeb().catch(() => {});
  loadStreams().catch(() => {});
}
