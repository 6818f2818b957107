import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Code } from "@connectrpc/connect";
import { errorOf } from "@rollcall/testing/matrix";
import { until } from "@rollcall/testing/start-server";
import { describe, expect, test } from "vitest";
import type { TokenKeys } from "../../src/rpc/auth/token-verifier.ts";
import { type IdentityProvider, startIdentityProvider, startTrusting } from "./support/identity-provider.ts";

describe("a fetch of the keys is bounded", () => {
  /** Starts a server with this provider, and makes a call. Resolves with the reason in the log. */
  async function reasonOf(provider: IdentityProvider, keys?: Partial<TokenKeys>): Promise<string> {
    const sign = await provider.addKey("ES256", { kid: "1" });
    await using server = await startTrusting(provider, keys);
    expect(await errorOf(server.call(await sign()))).toMatchObject({ code: Code.Unavailable });
    const { err } = await until(() => server.log.find(({ msg }) => String(msg).includes("can't be had")));
    return (err as { message: string }).message;
  }

  test("in bytes: an endless answer is cut", async () => {
    await using provider = await startIdentityProvider();
    let written = 0;
    const closed = Promise.withResolvers<void>();
    provider.answer = (_, response) => {
      response.on("close", () => closed.resolve()).on("error", () => {});
      response.write('{"keys":[');
      const piece = `${JSON.stringify({ kty: "EC", pad: "x".repeat(65_536) })},`;
      const write = () => {
        while (!response.destroyed && response.write(piece)) written += piece.length;
      };
      response.on("drain", write);
      write();
    };
    expect(await reasonOf(provider)).toContain("larger than 262144 bytes");
    await closed.promise;
    // The bytes beyond the limit were in the kernel's buffers.
    expect(written).toBeLessThan(32 * 1_024 ** 2);
  });

  test.each<[string, (response: ServerResponse) => void]>([
    ["no answer", () => {}],
    ["an answer that does not end", (response) => response.write('{"keys":[')],
  ])("in time: %s is given up", async (_, answer) => {
    await using provider = await startIdentityProvider();
    provider.answer = (_request, response) => answer(response);
    expect(await reasonOf(provider, { fetchTimeoutMs: 200 })).toContain("no complete answer within 200 ms");
  });

  test("in redirects: three are followed, a loop is left", async () => {
    await using provider = await startIdentityProvider();
    const redirect = (response: ServerResponse, location: string) => response.writeHead(302, { location }).end();
    provider.answer = (_, response) => redirect(response, "/again");
    expect(await reasonOf(provider)).toContain("more than 3 redirects");
    expect(provider.requestCount).toBe(4);

    const sign = await provider.addKey("ES256", { kid: "2" });
    let hops = 0;
    provider.answer = (_, response) => {
      hops += 1;
      if (hops > 3) response.end(JSON.stringify({ keys: provider.keys }));
      else redirect(response, `/hop-${hops}`);
    };
    await using server = await startTrusting(provider);
    await server.call(await sign());
    expect(hops).toBe(4);
  });

  test("to https: no redirect leads to plaintext elsewhere", async () => {
    let requestCount = 0;
    const elsewhere = createServer((_, response) => {
      requestCount += 1;
      response.end('{"keys":[]}');
    }).listen(0, "127.0.0.1");
    await once(elsewhere, "listening");
    await using provider = await startIdentityProvider();
    const location = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`;
    provider.answer = (_, response) => response.writeHead(307, { location }).end();
    expect(await reasonOf(provider)).toContain("out of https");
    elsewhere.close();
    expect(requestCount).toBe(0);
  });

  test.each<[string, string, string]>([
    ["a page", "<html>", "not JSON"],
    ["another document", '{"issuer":"x"}', "not a key set"],
    ["no key", '{"keys":[]}', "no key that can be used"],
    ["a secret", '{"keys":[{"kty":"oct","k":"AAAA"}]}', "symmetric"],
  ])("in kind: %s is no key set", async (_, body, reason) => {
    await using provider = await startIdentityProvider();
    provider.answer = (_request, response) => response.end(body);
    expect(await reasonOf(provider)).toContain(reason);
  });
});
