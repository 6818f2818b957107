import type http2 from "node:http2";

/** Returns the status of a gRPC call. It is in the trailers, or in the only header block (Trailers-Only). */
export function grpcStatusOf(stream: http2.ClientHttp2Stream): Promise<unknown> {
  return new Promise((resolve) => {
    const look = (headers: http2.IncomingHttpHeaders) => {
      if (headers["grpc-status"] !== undefined) resolve(headers["grpc-status"]);
    };
    stream.on("response", look).on("trailers", look);
  });
}
