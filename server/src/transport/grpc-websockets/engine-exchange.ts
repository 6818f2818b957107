import type { ConnectError } from "@connectrpc/connect";
import { canceled } from "../../rpc/call-errors.ts";
import type { CarriedCall, Engine } from "../engine/engine.ts";
import { callerOf } from "../port/connection-guard.ts";
import type { CallSocket, Exchange, ExchangeRequest } from "./exchange.ts";
import { SocketWire } from "./socket-wire.ts";

export interface EngineExchangeOptions {
  engine: Engine;
  /** Path of the method. */
  path: string;
  stallTimeoutMs: number;
}

/** Opens a call on the engine; returns undefined if the engine does not carry such calls. */
export function openEngineExchange(
  socket: CallSocket,
  { upgrade, fields, requestId, startedAtMs, refusal }: ExchangeRequest,
  { engine, path, stallTimeoutMs }: EngineExchangeOptions,
): Exchange | undefined {
  const wire = new SocketWire(socket, upgrade.socket, fields, stallTimeoutMs);
  const call = engine.openCall({
    ...{ path, wire, requestId, startedAtMs, refusal },
    connection: upgrade.socket,
    caller: callerOf(upgrade),
    onFailure: () => refusal || socket.hurry(),
  });
  if (!call) return undefined;
  wire.watch(call);
  return new EngineExchange(wire, call);
}

class EngineExchange implements Exchange {
  readonly boundsUploads = true;
  readonly #wire: SocketWire;
  readonly #call: CarriedCall;

  constructor(wire: SocketWire, call: CarriedCall) {
    this.#wire = wire;
    this.#call = call;
  }

  get isAnswered(): boolean {
    return this.#call.isAnswered();
  }

  start(): void {
    this.#call.start();
  }

  push(bytes: Buffer): void {
    this.#wire.push(bytes);
  }

  end(error?: ConnectError): void {
    // A closing socket can't send an answer any more. Without this, an answer that is being written would end the call
    // as canceled.
    if (error && this.#wire.isClosed) this.#call.abort(error);
    this.#wire.endRequest(error);
  }

  abort(): void {
    this.#call.abort(canceled());
  }

  abandon(): void {
    this.#wire.ignoreRest();
  }

  close(failure?: ConnectError): void {
    if (failure) this.#call.abort(failure);
    this.#wire.close();
  }
}
