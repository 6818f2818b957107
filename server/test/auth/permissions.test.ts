import type { DescMethod, DescMethodStreaming } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { methodName } from "@rollcall/shared/method-name";
import { ProbeService, withProbe } from "@rollcall/testing/probe-service";
import { startServer, type TestServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import type { AppOptions } from "../../src/app-options.ts";
import { healthPermissions, reflectionPermissions, rollcallPermissions } from "../../src/rpc/auth/permissions.ts";

const operatorPermissions = { ...healthPermissions, ...reflectionPermissions("public") };

/** How a call ends that sends no message: the gate decides before it would be read. */
async function endOf(server: TestServer, method: DescMethod, headers: Record<string, string>): Promise<ConnectError> {
  const transport = createGrpcTransport({ baseUrl: server.url });
  const nothing = (async function* () {})();
  try {
    const { message } = await transport.stream(method as DescMethodStreaming, undefined, 5_000, headers, nothing);
    for await (const _ of message);
    return new ConnectError("it succeeded", Code.Unknown);
  } catch (error) {
    return ConnectError.from(error);
  }
}

/** Methods of a started server that nobody may call, or everybody though no permission says so. */
async function audit({ routes, ...options }: Partial<AppOptions> = {}) {
  let router: ConnectRouter | undefined;
  await using server = await startServer({
    ...options,
    routes(mounted) {
      routes?.(mounted);
      router = mounted;
    },
  });
  const methods = router?.handlers.map(({ method }) => method) ?? [];
  const permissions = { ...operatorPermissions, ...options.permissions, ...rollcallPermissions };
  const scopeless = await server.auth({ scopes: [] });
  const forgotten: string[] = [];
  for (const method of methods) {
    const name = methodName(method);
    const isOpen = (await endOf(server, method, {})).code !== Code.Unauthenticated;
    const { rawMessage } = await endOf(server, method, scopeless);
    const isListed = isOpen ? permissions[name] === "public" : rawMessage === `missing scope ${permissions[name]}`;
    if (!isListed) forgotten.push(name);
  }
  return { methods: methods.map(methodName), forgotten };
}

test("every method that the server mounts has a scope, or is public by name", async () => {
  const { methods, forgotten } = await audit();
  expect(methods).toEqual(
    expect.arrayContaining(["user.v1.UserService/GetUser", "stream.v1.StreamService/BidirectionalStream"]),
  );
  expect(forgotten).toEqual([]);
});

test("a method that is mounted and not listed is found", async () => {
  const names = ProbeService.methods.map(methodName);
  const { routes, permissions } = withProbe({});
  expect((await audit({ routes })).forgotten).toEqual(names);
  expect((await audit({ routes, permissions })).forgotten).toEqual([]);
  expect((await audit({ routes, auth: false })).forgotten).toEqual(
    expect.arrayContaining([...names, "user.v1.UserService/GetUser"]),
  );
});

test("no name is listed for a method that is not there", async () => {
  const { methods } = await audit();
  const names = Object.keys({ ...operatorPermissions, ...rollcallPermissions });
  expect(names.toSorted()).toEqual(methods.toSorted());
});
