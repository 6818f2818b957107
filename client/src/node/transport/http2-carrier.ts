import { Code, ConnectError } from "@connectrpc/connect";
import type { Http2Connection } from "../http/http2-connection.ts";
import { Http2Pool } from "../http/http2-pool.ts";
import type { TlsClientOptions } from "../http/open-socket.ts";
import type { PoolSettings } from "../http/pool-options.ts";
import { Http2Wire } from "./http2-wire.ts";
import type { CarriedCall, Carrier } from "./wire.ts";

/**
 * Number of times that an unprocessed request is immediately sent over another connection. After that, its caller
 * decides.
 */
const MAX_REPLAYS = 2;

/**
 * Carries calls over the connections of a pool. A request that a server has certainly not acted on is sent again over
 * another connection, unnoticed by its caller. Such requests are known by a refused stream, a GOAWAY, or a connection
 * that had already ended (RFC 9113, 8.7).
 */
export class Http2Carrier implements Carrier {
  readonly #pool: Http2Pool;
  /** Number of times that a call was sent again. */
  readonly #replays = new WeakMap<CarriedCall, number>();

  constructor(origins: readonly string[], tls: TlsClientOptions, settings: PoolSettings) {
    this.#pool = new Http2Pool({ origins, tls, settings });
  }

  carry(call: CarriedCall): void {
    const connection = this.#pool.take();
    if (connection) Http2Wire.open(connection, call, this.#replay);
    else {
      this.#pool.wait(call).then(
        (given) => {
          if (!call.isOver) return Http2Wire.open(given, call, this.#replay);
          given.release();
          call.onError(ConnectError.from(call.signal.reason, Code.Canceled));
        },
        (error: unknown) => call.onError(ConnectError.from(error)),
      );
    }
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  readonly #replay = (call: CarriedCall, connection: Http2Connection): boolean => {
    const replays = this.#replays.get(call) ?? 0;
    // A server that refuses one stream and still accepts others may be busy, so it is asked only once more.
    const maxReplays = connection.takesStreams ? 1 : MAX_REPLAYS;
    if (replays >= maxReplays || !call.canReplay || call.isOver) return false;
    this.#replays.set(call, replays + 1);
    call.onUnsent();
    this.carry(call);
    return true;
  };
}
