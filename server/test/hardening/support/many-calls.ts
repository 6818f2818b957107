/**
 * Large numbers of calls through the usual clients, in each protocol, to find what they leave in the server's memory.
 */

import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { Http2SessionManager } from "@connectrpc/connect-node";
import { UserService } from "@rollcall/gen/user/v1/user";
import { authenticate, connections, protocols } from "@rollcall/testing/matrix";
import { ProbeService } from "@rollcall/testing/probe-service";
import { type MeasuredServer, startMeasuredServer } from "./measured-server.ts";

const IN_FLIGHT = 32;
/**
 * Cancelled calls per connection. More than a few thousand within seconds count as an attack, which ends the
 * connection.
 */
const CANCELS_PER_CONNECTION = 960;

const ENDLESS = 1_000_000_000;

/** Starts a server that refuses no call even if the machine is busy. */
export function startPatientServer(options: { leaksLog?: boolean } = {}): Promise<MeasuredServer> {
  const admission = { maxTurnMs: ENDLESS, maxBurstWaitMs: ENDLESS, window: ENDLESS };
  return startMeasuredServer({ ...options, admission, dropsLog: true });
}

/** Clients of the calls: each protocol over HTTP/2 and, except gRPC, over HTTP/1.1. */
export const manyCallsCells = Object.values(protocols).flatMap((protocol) =>
  [connections.h2c, connections.http1]
    .filter(({ httpVersion }) => httpVersion === "2" || protocol.logName !== "grpc")
    .map((connection) => ({ ...protocol, ...connection, name: `${protocol.protocol} over ${connection.connection}` })),
);

export type ManyCallsCell = (typeof manyCallsCells)[number];

function open(server: MeasuredServer, cell: ManyCallsCell): Disposable & { readonly transport: Transport } {
  const sessionManager = cell.httpVersion === "2" ? new Http2SessionManager(server.url) : undefined;
  const options = {
    baseUrl: server.url,
    httpVersion: cell.httpVersion,
    nodeOptions: {},
    ...(sessionManager && { sessionManager }),
    interceptors: [authenticate(server.headers.authorization.replace("Bearer ", ""))],
  };
  return { transport: cell.createTransport(options), [Symbol.dispose]: () => sessionManager?.abort() };
}

/** Makes calls that are answered, half of them by an error. */
export async function makeCalls(server: MeasuredServer, cell: ManyCallsCell, count: number): Promise<void> {
  using connection = open(server, cell);
  const users = createClient(UserService, connection.transport);
  let next = 0;
  const work = async () => {
    while (next < count) {
      next += 1;
      if (next % 2 === 0) await users.listUsers({ pageSize: 1 });
      else await expectCode(users.getUser({ id: "none" }), Code.NotFound);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
}

/**
 * Makes calls, half of them streams, that the client cancels once all have reached their handlers. All handlers must
 * end.
 */
export async function cancelCalls(server: MeasuredServer, cell: ManyCallsCell, count: number): Promise<void> {
  for (let done = 0; done < count; done += CANCELS_PER_CONNECTION) {
    using connection = open(server, cell);
    const probe = createClient(ProbeService, connection.transport);
    for (let batch = 0; batch < CANCELS_PER_CONNECTION && done + batch < count; batch += IN_FLIGHT) {
      await cancelBatch(server, probe);
    }
  }
}

async function cancelBatch(server: MeasuredServer, probe: Client<typeof ProbeService>): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  const calls = Array.from({ length: IN_FLIGHT }, (_, index) =>
    expectCode(
      index % 2 === 0 ? probe.unary({}, { signal }) : readAll(probe.serverStream({}, { signal })),
      Code.Canceled,
    ),
  );
  await waitForHeld(server, IN_FLIGHT);
  controller.abort();
  await Promise.all(calls);
  await waitForHeld(server, 0);
}

async function waitForHeld(server: MeasuredServer, count: number): Promise<void> {
  while ((await server.heldCalls()) !== count);
}

async function readAll(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of messages);
}

async function expectCode(call: Promise<unknown>, code: Code): Promise<void> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => ConnectError.from(reason),
  );
  if (error?.code !== code) throw new Error(`expected ${Code[code]}, got ${error?.message ?? "an answer"}`);
}

/** Returns the growth of the server's settled memory over the steps, in bytes. */
export async function growthOf(server: MeasuredServer, steps: () => Promise<void>) {
  const before = { used: await server.memoryBytes(), resident: await server.residentBytes() };
  await steps();
  return {
    usedBytes: (await server.memoryBytes()) - before.used,
    residentBytes: (await server.residentBytes()) - before.resident,
  };
}
