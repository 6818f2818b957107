import { type Client, createClient } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { authenticate, type Connection, connections, type Protocol, protocols } from "@rollcall/testing/matrix";

export type UsersClient = Client<typeof UserService>;

/** Options of a call. A call without an answer after this time never gets one. */
export const CALL = { timeoutMs: 60_000 };

/** Protocols of the calls: gRPC and Connect, over each HTTP version that supports them. */
export const callCells: readonly (Protocol & Connection)[] = [
  { ...protocols.grpc, ...connections.h2c },
  { ...protocols.connectProto, ...connections.h2c },
  { ...protocols.connectJson, ...connections.http1 },
];

/** Connects clients that retry nothing, one for each of {@link callCells}. */
export function connectUsers({ url, token }: { url: string; token: string }): UsersClient[] {
  return callCells.map(({ createTransport, httpVersion }) =>
    createClient(
      UserService,
      createTransport({ baseUrl: url, httpVersion, nodeOptions: {}, interceptors: [authenticate(token)] }),
    ),
  );
}
