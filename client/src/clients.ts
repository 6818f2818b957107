import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";

export interface ClientOptions {
  /** Where the server is, as `https://rollcall.example.com`. */
  address: string;
  /** The bearer token to send; asked for with each call. */
  getToken(): string | undefined;
}

export interface RollcallClients {
  readonly users: Client<typeof UserService>;
  /** Over fetch, a browser can call its unary and server-streaming methods. */
  readonly streams: Client<typeof StreamService>;
}

/** The generated clients over fetch, by the Connect protocol; reads go as GET. */
export function createClients({ address, getToken }: ClientOptions): RollcallClients {
  const transport = createConnectTransport({
    baseUrl: address,
    useHttpGet: true,
    interceptors: [createAuthInterceptor(getToken)],
  });
  return { users: createClient(UserService, transport), streams: createClient(StreamService, transport) };
}

function createAuthInterceptor(getToken: () => string | undefined): Interceptor {
  return (next) => (request) => {
    const token = getToken();
    if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}
