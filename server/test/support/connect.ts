import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { BadRequestSchema } from "@rollcall/gen/google/rpc/error_details";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { connections, createCellTransport, protocols } from "@rollcall/testing/matrix";
import type { TestServer } from "@rollcall/testing/start-server";
import { expect } from "vitest";

/** Connects clients of both services over gRPC. Their calls carry a token with all scopes. */
export async function connect(server: TestServer) {
  const transport = await createCellTransport(server, { ...protocols.grpc, ...connections.h2c });
  return { users: createClient(UserService, transport), streams: createClient(StreamService, transport) };
}

/** Returns the error of a failed call, with its field violations. */
export async function failure(call: Promise<unknown>) {
  const error = await call.then(() => expect.fail("did not fail"), ConnectError.from);
  return {
    code: Code[error.code],
    message: error.rawMessage,
    violations: error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations),
    fields: error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations.map(({ field }) => field)),
    error,
  };
}

/** A user, as tests create it. */
export const ada = { email: "ada@example.com", name: "Ada" };
