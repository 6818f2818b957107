/** The WebSocket subprotocol that carries gRPC-Web: improbable-eng/grpc-web, `grpc-websockets`. */
export const SUBPROTOCOL = "grpc-websockets";

/** First byte of a client's frame: more of the body follows, or the body is over. */
export const BODY = 0x00;
export const HALF_CLOSE = 0x01;

/** Flag of a gRPC-Web frame that holds headers or trailers instead of a message. */
export const HEADER_FRAME = 0x80;
/** Flag and length of a gRPC-Web frame. */
export const PREFIX_BYTES = 5;
