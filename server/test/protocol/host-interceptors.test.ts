/** A host's interceptors run around the handlers that it mounts with them, inside the server's own steps. */
import { type Client, Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import type { AppOptions } from "@rollcall/server";
import { type Cell, createCellTransport, errorOf, protocolCells } from "@rollcall/testing/matrix";
import { type ProbeHandlers, ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import { UserNotFoundError } from "../../src/domain/errors.ts";
import { principalKey } from "../../src/rpc/context.ts";

const handlers: ProbeHandlers = {
  unary: ({ value }, { requestHeader }) => ({ value: `${value} ${requestHeader.get("x-added")}` }),
  async *serverStream({ value }) {
    yield { value };
    yield { value: "second" };
  },
  async clientStream(requests) {
    return { value: (await Array.fromAsync(requests, ({ value }) => value)).join() };
  },
  async *bidiStream(requests) {
    for await (const { value } of requests) yield { value };
  },
};

/** Creates an interceptor that records a call on its way in and out, and marks its answer. */
function marking(name: string, notes: string[]): Interceptor {
  return (next) => async (request) => {
    notes.push(`${name} ${request.method.name} of ${request.contextValues.get(principalKey)?.subject}`);
    request.header.append("x-added", name);
    const response = await next(request);
    response.header.append("x-marked", name);
    if (!response.stream) response.trailer.set("x-end", name);
    return response;
  };
}

async function* send(...values: string[]) {
  for (const value of values) yield { value };
}

type Options = Pick<AppOptions, "defaultTimeoutMs"> & { own: ProbeHandlers };

const start = (rpcEngine: "direct" | "stock", interceptors: Interceptor[], options: Partial<Options> = {}) => {
  const { own = handlers, ...others } = options;
  return startServer({
    ...withProbe(own),
    ...others,
    routes: (router) => router.service(ProbeService, own, { interceptors }),
    rpcEngine,
  });
};

const connect = async (server: TestServer, cell: Cell) =>
  createClient(ProbeService, await createCellTransport(server, cell));

describe.each(["direct", "stock"] as const)("by the %s carrier", (rpcEngine) => {
  describe.each(protocolCells)("over $protocol", (cell) => {
    const answers: Record<string, (client: Client<typeof ProbeService>) => Promise<unknown>> = {
      Unary: async (client) => (await client.unary({ value: "a" })).value,
      ServerStream: (client) => Array.fromAsync(client.serverStream({ value: "a" }), ({ value }) => value),
      ClientStream: async (client) => (await client.clientStream(send("a", "b"))).value,
      BidiStream: (client) => Array.fromAsync(client.bidiStream(send("a", "b")), ({ value }) => value),
    };

    test.each([
      ["Unary", "a outer, inner"],
      ["ServerStream", ["a", "second"]],
      ["ClientStream", "a,b"],
      ["BidiStream", ["a", "b"]],
    ])("%s passes them in order, with its caller known", async (method, expected) => {
      const notes: string[] = [];
      await using server = await start(rpcEngine, [marking("outer", notes), marking("inner", notes)]);
      const client = await connect(server, cell);
      expect(await answers[method]?.(client)).toEqual(expected);
      expect(notes).toEqual([`outer ${method} of tester`, `inner ${method} of tester`]);
      expect(server.log.some(({ msg }) => msg === "call carried by Connect")).toBe(rpcEngine === "stock");
    });

    test("what they add to the answer arrives", async () => {
      await using server = await start(rpcEngine, [marking("outer", []), marking("inner", [])]);
      let [header, trailer] = [new Headers(), new Headers()];
      await (await connect(server, cell)).unary(
        {},
        {
          onHeader: (headers) => {
            header = headers;
          },
          onTrailer: (trailers) => {
            trailer = trailers;
          },
        },
      );
      expect(header.get("x-marked")).toBe("inner, outer");
      expect(trailer.get("x-end")).toBe("outer");
    });

    test("what they throw is mapped, masked and logged as a handler's", async () => {
      const throwing: Interceptor = (next) => async (request) => {
        const { value } = request.stream ? { value: "" } : (request.message as unknown as { value: string });
        if (value === "denied") throw new ConnectError("not today", Code.PermissionDenied);
        if (value === "missing") throw new UserNotFoundError("u1");
        if (value === "broken") throw new Error("secret cause");
        return next(request);
      };
      await using server = await start(rpcEngine, [throwing]);
      const client = await connect(server, cell);
      const failure = async (value: string) => {
        const { code, rawMessage } = await errorOf(client.unary({ value }));
        return [Code[code], rawMessage];
      };
      expect(await failure("denied")).toEqual(["PermissionDenied", "not today"]);
      expect(await failure("missing")).toEqual(["NotFound", "user not found"]);
      expect(await failure("broken")).toEqual(["Internal", "internal server error"]);
      expect(JSON.stringify(await until(() => server.log.find(({ msg }) => msg === "call failed")))).toContain(
        "secret cause",
      );
    });

    test("a call ends at its deadline, though they wait for ever", async () => {
      const stuck: Interceptor = () => () => new Promise(() => {});
      await using server = await start(rpcEngine, [stuck], { defaultTimeoutMs: 100 });
      const client = await connect(server, cell);
      expect((await errorOf(client.unary({}))).code).toBe(Code.DeadlineExceeded);
      const line = await until(() => server.log.find(({ msg }) => msg === "call"));
      expect(line).toMatchObject({ code: "deadline_exceeded" });
    });
  });
});

test("a method that a service does not have is unimplemented", async () => {
  for (const rpcEngine of ["direct", "stock"] as const) {
    await using server = await start(rpcEngine, [], { own: {} });
    for (const cell of protocolCells) {
      const { code, rawMessage } = await errorOf((await connect(server, cell)).unary({}));
      expect([code, rawMessage]).toEqual([Code.Unimplemented, "probe.v1.ProbeService.Unary is not implemented"]);
    }
    expect(server.log.some(({ msg }) => msg === "call carried by Connect")).toBe(rpcEngine === "stock");
  }
});
