import { Metadata } from "@grpc/grpc-js";
import { createRollcall } from "@rollcall/client/node";
import { UserService } from "@rollcall/gen/user/v1/user";
import { freePort } from "@rollcall/testing/free-port";
import { GrpcJsClient } from "@rollcall/testing/grpc-js";
import { createRandom } from "@rollcall/testing/random";
import { type ServerProcess, startProcess } from "@rollcall/testing/start-process";
import { until } from "@rollcall/testing/start-server";
import type { DatabaseKind } from "./databases.ts";

/** Number of callers of each client library. They are few, so that servers on a busy machine need not refuse any. */
const CALLERS = 4;
/** Retry policy from gRPC's documentation, with the one code that asks for a retry. */
const RETRIES = {
  methodConfig: [
    {
      name: [{}],
      retryPolicy: {
        maxAttempts: 5,
        initialBackoff: "0.05s",
        maxBackoff: "1s",
        backoffMultiplier: 2,
        retryableStatusCodes: ["UNAVAILABLE"],
      },
    },
  ],
  loadBalancingConfig: [{ round_robin: {} }],
};
/**
 * Pauses between attempts to connect, in milliseconds. By default they grow to minutes, and each restart would wait for
 * them.
 */
const RECONNECTS = { "grpc.initial_reconnect_backoff_ms": 100, "grpc.max_reconnect_backoff_ms": 300 };

/** Id of each request of grpc-js in the log. */
const GRPC_JS_REQUEST = "grpc-js";

export interface RollingReport {
  restarts: number;
  /** Restarts that began during calls and after which the new process has answered calls of each library. */
  hits: number;
  calls: number;
  /** Calls that failed for a caller. There must be none. */
  failures: string[];
  /** Attempts that a client library has repeated. */
  retries: number;
}

/**
 * Restarts two servers on one database, one after the other, while clients that retry call them without a pause.
 *
 * @param signal Signal that ends a server. A control uses SIGKILL, which leaves the server no time to end its calls.
 */
export async function restartOneByOne(
  { share }: DatabaseKind,
  rounds: number,
  seed: number,
  signal: NodeJS.Signals = "SIGTERM",
): Promise<RollingReport> {
  const random = createRandom(seed);
  await using database = await share();
  const { env } = database;
  const servers = [
    await startProcess({ env, port: await freePort() }),
    await startProcess({ env, port: await freePort() }),
  ];
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]();
  });
  const report: RollingReport = { restarts: 0, hits: 0, calls: 0, failures: [], retries: 0 };
  let isOver = false;
  let underWay = 0;
  const loop = async (name: string, call: (name: string) => Promise<unknown>) => {
    for (let number = 0; !isOver; number++) {
      underWay += 1;
      try {
        await call(`${name}-${number}`);
        report.calls += 1;
      } catch (error) {
        report.failures.push(`${name}: ${error}`);
        return;
      } finally {
        underWay -= 1;
      }
    }
  };
  const callers = [callByLibrary(servers, () => report.retries++), callByGrpcJs(servers)];
  for (const { close } of callers) stack.defer(close);
  const loops = callers.flatMap(({ name, call }) =>
    Array.from({ length: CALLERS }, (_, number) => loop(`${name}${number}`, call)),
  );
  for (let round = 0; round < rounds && report.failures.length === 0; round++) {
    for (const [index, server] of servers.entries()) {
      const target = report.calls + 100 + random.below(400);
      await until(() => report.calls >= target || report.failures.length > 0);
      const isHit = underWay > 0;
      report.restarts += 1;
      const port = Number(new URL(server.url).port);
      server.process.kill(signal);
      await server.exited;
      const restarted = await startProcess({ env, port });
      servers[index] = restarted;
      // The next server ends only after all clients use this one: a client in a long pause between attempts to connect
      // would have no server then.
      await until(() => isCalledByAll(restarted) || report.failures.length > 0);
      if (isHit) report.hits += 1;
    }
  }
  isOver = true;
  await Promise.all(loops);
  return report;
}

function isCalledByAll(server: ServerProcess): boolean {
  const log = server.output();
  const ofGrpcJs = `"requestId":"${GRPC_JS_REQUEST}"`;
  return (
    log.includes(ofGrpcJs) && log.split("\n").some((line) => line.includes('"msg":"call"') && !line.includes(ofGrpcJs))
  );
}

/** Makes calls of every kind that the library repeats by itself. */
function callByLibrary(servers: readonly ServerProcess[], onRetry: () => void) {
  const client = createRollcall({
    baseUrl: servers.map(({ url }) => url),
    token: servers[0]?.token ?? "",
    timeoutMs: 60_000,
    retry: { onRetry },
  });
  return {
    name: "library",
    close: () => client.close(),
    async call(name: string) {
      const { id, etag } = await client.users.create({ email: `${name}@example.com`, name });
      const changed = await client.users.update(id, { name: `${name} again` }, { etag });
      const read = await client.users.get(id);
      if (read.etag !== changed.etag) throw new Error("read another etag than the change's");
      await client.users.delete(id, { etag: read.etag });
    },
  };
}

function callByGrpcJs(servers: readonly ServerProcess[]) {
  const [first, ...others] = servers.map(({ url }) => Number(new URL(url).port)).toReversed();
  const metadata = Metadata.fromHttp2Headers({ ...servers[0]?.headers, "x-request-id": GRPC_JS_REQUEST });
  const host = `ipv4:${others.map((port) => `127.0.0.1:${port},`).join("")}127.0.0.1`;
  const options = {
    "grpc.service_config": JSON.stringify(RETRIES),
    "grpc.use_local_subchannel_pool": 1,
    ...RECONNECTS,
  };
  const client = new GrpcJsClient(first ?? 0, metadata, undefined, options, host);
  return {
    name: "grpc-js",
    close: async () => client[Symbol.dispose](),
    async call(name: string) {
      const request = { email: `${name}@example.com`, name, requestId: name };
      const { user } = await client.unary(UserService.method.createUser, request);
      const answer = await client.unary(UserService.method.getUser, { id: user?.id ?? "" });
      if (answer.user?.name !== name) throw new Error("read another user than was created");
    },
  };
}
