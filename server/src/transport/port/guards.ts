import { constants, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { Logger } from "pino";
import type { ConnectionLimits } from "../../limits.ts";
import type { RefusalCounts } from "../refusals.ts";
import { Addresses, addressKey } from "./addresses.ts";
import { ByteBudget } from "./byte-budget.ts";
import { peerOf } from "./connection.ts";
import { ConnectionBytes } from "./connection-bytes.ts";
import { ConnectionGuard, setGuard } from "./connection-guard.ts";
import { ControlBytes } from "./control-bytes.ts";
import { ForwardedCallers } from "./forwarded.ts";
import { guardSession } from "./guard-session.ts";
import { strikePings } from "./ping-strikes.ts";
import { RefusalLog } from "./refusal-log.ts";
import { keepSessionAlive } from "./session-keepalive.ts";

const REFUSED = {
  many: "connections refused: one address has too many",
  flood: "connections refused: one address floods the server",
};

export interface Guards {
  /** Counts a new connection. Destroys it and returns false when its address may have no further one. */
  admit(socket: Socket): boolean;
  /** Returns whether a connection comes from a trusted proxy. */
  isProxy(socket: Socket): boolean;
  /** Logs a connection that Node.js has dropped because the server has too many. */
  noteDropped(address: string | undefined): void;
  guardHttp1(socket: Socket): void;
  /** Also ends the session when it has been idle for too long. */
  guardHttp2(session: ServerHttp2Session, socket: Socket): void;
}

/** Bounds what connections may do before they are known, what they hold, and how many one address has. */
export function createGuards(limits: ConnectionLimits, refusals: RefusalCounts, logger: Logger): Guards {
  const log = new RefusalLog(logger);
  const addresses = new Addresses({
    ...limits,
    onRefused(address, reason) {
      refusals.add(reason === "many" ? "connections_of_address" : "abuse");
      log.note(REFUSED[reason], { address });
    },
  });
  const controlBytes = new ControlBytes();
  const budget = new ByteBudget({
    maxConnectionBytes: limits.maxConnectionBytes,
    maxHeldBytes: limits.maxHeldBytes,
    onEnded() {
      refusals.add("stalled");
      log.note("calls ended: they did not move while too many bytes were held", {});
    },
  });
  const cutBy = (address: string | undefined, cut: () => void) => (reason: string) => {
    refusals.add("abuse");
    log.note("connections ended: abuse", { address, reason });
    cut();
  };
  const create = (socket: Socket, bytes: ConnectionBytes, cut: (reason: string) => void) => {
    const { remoteAddress = "" } = socket;
    const isProxy = addresses.isProxy(remoteAddress);
    const caller = { peer: peerOf({ socket }), address: isProxy ? undefined : addressKey(remoteAddress) };
    const forwarded = isProxy ? new ForwardedCallers(caller, (address) => addresses.isProxy(address)) : undefined;
    const address = addresses.of(socket.remoteAddress);
    return new ConnectionGuard(socket, caller, forwarded, address, bytes, limits.tinyPieces, cut);
  };
  return {
    admit: (socket) => addresses.admit(socket),
    isProxy: ({ remoteAddress = "" }) => addresses.isProxy(remoteAddress),
    noteDropped(address) {
      refusals.add("connections");
      log.note("connections refused: the server has too many", { address });
    },
    guardHttp1(socket) {
      const bytes = new ConnectionBytes(budget, () => sentBytes(socket));
      const cut = cutBy(socket.remoteAddress, () => socket.destroy());
      setGuard(socket, create(socket, bytes, cut));
    },
    guardHttp2(session, socket) {
      const bytes = new ConnectionBytes(budget, () => sentBytes(socket));
      const cut = cutBy(socket.remoteAddress, () => {
        session.destroy(new Error("abuse"), constants.NGHTTP2_ENHANCE_YOUR_CALM);
      });
      const guard = create(socket, bytes, cut);
      setGuard(session, guard);
      strikePings(session, socket, limits.minPingIntervalMs, () => {
        refusals.add("abuse");
        log.note("connections ended: abuse", { address: socket.remoteAddress, reason: "too many pings" });
      });
      const openStreams = guardSession(session, socket, guard, limits, controlBytes);
      keepSessionAlive(session, limits.idleTimeoutMs, openStreams);
    },
  };
}

/**
 * Returns how many written bytes the kernel has taken. `bytesWritten` alone includes those that wait; the handle knows
 * them apart, and Node.js itself asks it when a socket times out.
 */
function sentBytes(socket: Socket): number {
  const { _handle: handle } = socket as Socket & { _handle?: { bytesWritten: number; writeQueueSize: number } | null };
  return handle ? handle.bytesWritten - handle.writeQueueSize : 0;
}
