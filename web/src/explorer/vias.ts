import type { DescMethod } from "@bufbuild/protobuf";

/** Protocols and transports that a browser has, by their names in a link and in the client. */
const TITLES = {
  connect: "Connect over fetch",
  "grpc-web": "gRPC-Web over fetch",
  "grpc-websockets": "gRPC-Web over WebSocket",
} as const;

export type Via = keyof typeof TITLES;

/** Returns whether the client sends a stream of messages. */
export function streamsRequests({ methodKind }: DescMethod): boolean {
  return methodKind === "client_streaming" || methodKind === "bidi_streaming";
}

/** Returns the ways to call a method, with their titles. fetch can't carry streams of requests. */
export function viasFor(method: DescMethod): readonly { readonly via: Via; readonly title: string }[] {
  return (Object.keys(TITLES) as Via[])
    .filter((via) => via === "grpc-websockets" || !streamsRequests(method))
    .map((via) => ({ via, title: TITLES[via] }));
}
