/** Calls that end early, by their deadline or their caller. The handler is notified immediately. */
import { type Client, Code, createClient, type HandlerContext } from "@connectrpc/connect";
import { cells, createCellTransport, errorOf, startServerFor } from "@rollcall/testing/matrix";
import { type ProbeHandlers, ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";

interface CallOptions {
  signal?: AbortSignal;
  timeoutMs?: number;
  headers?: Record<string, string>;
}
type Call = (probe: Client<typeof ProbeService>, options: CallOptions) => Promise<unknown>;

/** Calls of each kind whose handlers wait forever. Bidi has its own rows, since HTTP/1.1 can't carry it. */
const calls: Record<string, Call> = {
  unary: (probe, options) => probe.unary({}, options),
  "server stream": (probe, options) => Array.fromAsync(probe.serverStream({}, options)),
  "client stream": (probe, options) => probe.clientStream(endless(), options),
  "bidi stream": (probe, options) => Array.fromAsync(probe.bidiStream(endless(), options)),
};
const rows = cells.flatMap((cell) =>
  Object.entries(calls)
    .filter(([kind]) => kind !== "bidi stream" || cell.httpVersion === "2")
    .map(([kind, call]) => ({ ...cell, kind, call })),
);

describe.concurrent.each(rows)("$protocol over $connection: $kind", ({ call, ...cell }) => {
  test("ends with its client's deadline, and so does the handler", async () => {
    const { handlers, contexts } = waitForAbort();
    await using server = await startServerFor(cell, withProbe(handlers));
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    const context = await reachBeforeDeadline(contexts, (timeoutMs) => call(probe, { timeoutMs }));
    await until(() => context.signal.aborted);
  });

  test("is ended by the server when its client does not look at the clock", async () => {
    const { handlers, contexts } = waitForAbort();
    await using server = await startServerFor(cell, withProbe(handlers));
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    const context = await reachBeforeDeadline(contexts, (timeoutMs) =>
      // The deadline is sent as a header only, so that the server alone applies it.
      call(probe, { headers: { "connect-timeout-ms": `${timeoutMs}`, "grpc-timeout": `${timeoutMs}m` } }),
    );
    expect(context.signal.aborted).toBe(true);
    const line = await until(() => server.log.find(({ msg }) => msg === "call"));
    expect(line).toMatchObject({ code: "deadline_exceeded", protocol: cell.logName });
  });

  test("is canceled by its client, and so is the handler", async () => {
    const { handlers, contexts } = waitForAbort();
    await using server = await startServerFor(cell, withProbe(handlers));
    const probe = createClient(ProbeService, await createCellTransport(server, cell));
    const controller = new AbortController();
    const ended = errorOf(call(probe, { signal: controller.signal }));
    const context = await until(() => contexts[0]);
    // The control: only the client ends it.
    expect(context.signal.aborted).toBe(false);
    controller.abort();
    expect((await ended).code).toBe(Code.Canceled);
    await until(() => context.signal.aborted);
    const line = await until(() => server.log.find(({ msg }) => msg === "call"));
    expect(line).toMatchObject({ code: "canceled", protocol: cell.logName });
    // A client that disconnects is not an error of the server.
    expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  });
});

/**
 * Makes the call with a deadline, which ends it, and returns its handler's context. On a slow machine, the deadline can
 * be over before the handler has begun. The call is then made again with more time.
 */
async function reachBeforeDeadline(
  contexts: readonly HandlerContext[],
  makeCall: (timeoutMs: number) => Promise<unknown>,
): Promise<HandlerContext> {
  for (let timeoutMs = 50; ; timeoutMs *= 2) {
    expect(await errorOf(makeCall(timeoutMs))).toMatchObject({
      code: Code.DeadlineExceeded,
      rawMessage: "the operation timed out",
    });
    if (contexts[0]) return contexts[0];
  }
}

/** Creates handlers that do nothing until their signal is aborted. `contexts` has those of the calls that came. */
function waitForAbort(): { handlers: ProbeHandlers; contexts: HandlerContext[] } {
  const contexts: HandlerContext[] = [];
  const wait = (context: HandlerContext) => {
    contexts.push(context);
    return new Promise<never>((_resolve, reject) => {
      context.signal.throwIfAborted();
      context.signal.addEventListener("abort", () => reject(context.signal.reason));
    });
  };
  return {
    contexts,
    handlers: {
      unary: (_request, context) => wait(context),
      async *serverStream(_request, context) {
        yield { value: "first" };
        await wait(context);
      },
      async clientStream(requests, context) {
        for await (const { value } of requests) {
          expect(value).toBe("first");
          contexts.push(context);
        }
        return wait(context);
      },
      async *bidiStream(_requests, context) {
        yield { value: "first" };
        await wait(context);
      },
    },
  };
}

async function* endless(): AsyncIterable<{ value: string }> {
  yield { value: "first" };
  await new Promise<never>(() => {});
}
