import { BlockList } from "node:net";
import { createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { begin, CHAT, HALF_CLOSE } from "@rollcall/testing/raw/web-socket";
import { startServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/**
 * Makes a call by each carrier, with the headers that a proxy would add, and a request that is not a call. Returns the
 * logged peers.
 */
async function peersOf(trustedProxies: BlockList, forwarding: Record<string, string>): Promise<unknown[]> {
  await using server = await startServer({ ...withProbe({ unary: () => ({}) }), limits: { trustedProxies } });
  const { url: baseUrl } = server;
  const headers = { ...(await server.auth()), ...forwarding };
  const addHeaders: Interceptor = (next) => (request) => {
    for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
    return next(request);
  };
  const interceptors = [addHeaders];
  await createClient(ProbeService, createGrpcTransport({ baseUrl, interceptors })).unary({});
  for (const httpVersion of ["1.1", "2"] as const) {
    await createClient(ProbeService, createConnectTransport({ baseUrl, httpVersion, interceptors })).unary({});
  }
  // A page cannot set these headers. Its proxy sets them in the request that opens the socket.
  const { ws, closed } = await begin(server, CHAT, "x-forwarded-for: 203.0.113.9\r\n", forwarding);
  ws.send(HALF_CLOSE);
  await closed;
  await fetch(`${baseUrl}/nothing`, { headers: forwarding });
  const logged = ({ msg }: Record<string, unknown>) => msg === "call" || msg === "request refused";
  await until(() => server.log.filter(logged).length === 5);
  return server.log.filter(logged).map(({ peer }) => peer);
}

test("a trusted proxy's headers name the caller, however a call is carried", async () => {
  const spoofed = "198.51.100.66, 192.0.2.1";
  expect(await peersOf(loopback, { "x-forwarded-for": spoofed })).toEqual(Array(5).fill("192.0.2.1"));
  const forwarded = `for=198.51.100.66, for="[2001:db8::1]:4711";proto=https`;
  expect(await peersOf(loopback, { forwarded })).toEqual(Array(5).fill("[2001:db8::1]:4711"));
});

test("anybody else's are ignored", async () => {
  const peers = await peersOf(new BlockList(), { "x-forwarded-for": "192.0.2.1", forwarded: "for=192.0.2.1" });
  expect(peers).toEqual(Array(5).fill(expect.stringMatching(/^(?:127\.0\.0\.1|\[::1\]):\d+$/)));
});
