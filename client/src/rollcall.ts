// Apps that target less than ES2026 know these types by it.
/// <reference lib="esnext.disposable" preserve="true" />
import type { DescService } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, type Transport } from "@connectrpc/connect";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { createServiceClient, type ServiceClient } from "./internal/service-client.ts";
import type { Streams } from "./streams.ts";
import { Users } from "./users.ts";

/** Parts of a client. `createRollcall` chooses them for browsers and for Node. */
export interface RollcallParts<S extends Streams> {
  transport: Transport;
  /** Aborted when the client is closed. */
  closing: AbortController;
  /** Whether a refused token can be renewed. */
  renewsTokens: boolean;
  createStreams(calls: ServiceClient<typeof StreamService>): S;
  close(): Promise<void>;
}

/** Client of a Rollcall server: `users` and `streams` have its methods, `service` reaches any other service. */
export class Rollcall<S extends Streams = Streams> implements AsyncDisposable {
  readonly users: Users;
  readonly streams: S;
  readonly #transport: Transport;
  readonly #closing: AbortController;
  readonly #close: () => Promise<void>;

  constructor({ transport, closing, renewsTokens, createStreams, close }: RollcallParts<S>) {
    this.#transport = transport;
    this.#closing = closing;
    this.#close = close;
    this.users = new Users(createServiceClient(UserService, transport), { renewsTokens, closing: closing.signal });
    this.streams = createStreams(createServiceClient(StreamService, transport));
  }

  /**
   * Returns the generated client of any service, over the same transport and interceptors. It sends messages as they
   * are, and throws ConnectErrors; `toRollcallError` converts these.
   */
  service<T extends DescService>(service: T): Client<T> {
    return createServiceClient(service, this.#transport);
  }

  /**
   * Lets calls finish that have been sent, for 10 s at most (in Node `pool.closeTimeoutMs`), and closes the connections.
   * Streams that last longer, such as a watch, are cut. Later calls, and those that still wait for another attempt (in
   * Node also for a token or a connection), are canceled.
   */
  close(): Promise<void> {
    this.#closing.abort(new ConnectError("the client is closed", Code.Canceled));
    return this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
