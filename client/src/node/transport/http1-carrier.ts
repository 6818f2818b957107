import http from "node:http";
import https from "node:https";
import type { Duplex } from "node:stream";
import { ConnectError } from "@connectrpc/connect";
import { findNotSent } from "../../internal/not-sent.ts";
import { Address } from "../http/address.ts";
import { closedError, notSent, startSocket, type TlsClientOptions, toFinal } from "../http/open-socket.ts";
import { Outage } from "../http/outage.ts";
import type { PoolSettings } from "../http/pool-options.ts";
import { SpeaksTlsError } from "../http/tls-faults.ts";
import { exchange, type Origin } from "./http1-wire.ts";
import type { CarriedCall, Carrier } from "./wire.ts";

/**
 * Carries calls over HTTP/1.1 to the address with the fewest calls, at most `settings.size` at the same time to each;
 * further ones wait. An address that can't be reached is skipped for a while, and the request goes to the next one.
 * While none can be reached, requests wait.
 */
export class Http1Carrier implements Carrier {
  readonly #origins: readonly Origin[];
  readonly #settings: PoolSettings;
  readonly #outage: Outage;
  #turn = 0;
  /** Set once the carrier is closed. */
  #closed: PromiseWithResolvers<void> | undefined;

  constructor(origins: readonly string[], tls: TlsClientOptions, settings: PoolSettings) {
    this.#settings = settings;
    this.#origins = origins.map((origin): Origin => {
      const opening = new WeakMap<Duplex, Promise<void>>();
      return {
        address: new Address(origin),
        agent: createAgent(origin, tls, settings, opening),
        opening,
        callCount: 0,
      };
    });
    const addresses = this.#origins.map(({ address }) => address);
    this.#outage = new Outage(addresses, settings);
  }

  carry(call: CarriedCall): void {
    this.#carry(call).catch((error: unknown) => call.onError(ConnectError.from(error)));
  }

  async close(): Promise<void> {
    if (this.#closed) return this.#closed.promise;
    this.#closed = Promise.withResolvers();
    this.#outage.rejectAll(closedError());
    if (this.#origins.some(({ callCount }) => callCount > 0)) {
      const cut = setTimeout(this.#closed.resolve, this.#settings.closeTimeoutMs);
      await this.#closed.promise;
      clearTimeout(cut);
    }
    for (const { agent } of this.#origins) agent.destroy();
    this.#closed.resolve();
  }

  /** Resolves when the call has the head of its answer. */
  async #carry(call: CarriedCall): Promise<void> {
    for (;;) {
      if (this.#closed) throw closedError();
      if (this.#outage.isOn && this.#settings.waitTimeoutMs !== 0) await this.#outage.wait(call);
      try {
        return await this.#tryEach(call);
      } catch (error) {
        if (!call.canReplay || call.isOver || !findNotSent(error)?.isTransient) throw error;
        if (this.#settings.waitTimeoutMs === 0) throw toFinal(error);
        this.#outage.begin(error);
      }
    }
  }

  /** Tries each address in turn. @throws the error of the last one. */
  async #tryEach(call: CarriedCall): Promise<void> {
    let failure: unknown;
    for (const origin of this.#inOrder()) {
      const { address } = origin;
      if (this.#closed) throw closedError();
      origin.callCount += 1;
      try {
        await exchange(origin, call, {
          onConnect: () => this.#outage.end(),
          beforeConnect: (reason) => this.#outage.ended(reason),
          onEnd: () => this.#ended(origin),
        });
        address.answered();
        return;
      } catch (reason) {
        if (call.isOver) throw reason;
        const error = await explain(address, reason);
        if (!findNotSent(error) || !call.canReplay) throw error;
        call.onUnsent();
        address.failed(error);
        failure = address.refusesClient ? toFinal(error) : error;
      }
    }
    throw failure;
  }

  #inOrder(): readonly Origin[] {
    const all = this.#origins;
    if (all.length === 1) return all;
    this.#turn = (this.#turn + 1) % all.length;
    const rotated = [...all.slice(this.#turn), ...all.slice(0, this.#turn)];
    return rotated.sort(
      (a, b) => Number(a.address.isResting) - Number(b.address.isResting) || a.callCount - b.callCount,
    );
  }

  #ended(origin: Origin): void {
    origin.callCount -= 1;
    if (this.#origins.every(({ callCount }) => callCount === 0)) this.#closed?.resolve();
  }
}

/**
 * Returns the error of a call. If a call over plaintext met a TLS server, the error says that the server can't have
 * acted on it.
 */
async function explain(address: Address, error: unknown): Promise<unknown> {
  const isNotConnected = findNotSent(error) !== undefined;
  if (isNotConnected || !(await address.speaksTls())) return error;
  return notSent(address.origin, new SpeaksTlsError({ cause: error }));
}

/** Creates an agent whose connections have a connect timeout, and are recorded in `opening`. */
function createAgent(
  origin: string,
  tls: TlsClientOptions,
  settings: PoolSettings,
  opening: WeakMap<Duplex, Promise<void>>,
): http.Agent {
  const { protocol } = new URL(origin);
  const agent = new (protocol === "https:" ? https : http).Agent({
    keepAlive: true,
    maxSockets: settings.size,
    timeout: settings.idleTimeoutMs,
  });
  agent.createConnection = () => {
    const { socket, ready } = startSocket(origin, { ...settings, tls, alpn: "http/1.1" });
    // The request that waits for the socket gets the error from it.
    ready.catch(() => {});
    opening.set(socket, ready);
    return socket;
  };
  return agent;
}
