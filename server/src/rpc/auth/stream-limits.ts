import { Code, ConnectError } from "@connectrpc/connect";
import type { Principal } from "../../domain/principal.ts";
import { MAX_RATE_LIMITED_KEYS } from "../../limits.ts";
import { RateLimiter } from "../../runtime/rate-limiter.ts";
import { keyOf, rateExceeded } from "./rate-limits.ts";

export interface StreamLimitOptions {
  /** Streams of one principal that may be open at the same time; 0 for no limit. */
  maxOpen: number;
  /**
   * Messages a second that one principal may send in all its streams together; twice as many may come together after a
   * pause. 0 for no limit.
   */
  messagesPerSecond: number;
}

/** A stream whose messages are counted. */
export interface LimitedStream {
  readonly hasEnded: boolean;
  onEnd(listener: () => void): void;
  /** Counts a message of the request. @throws ConnectError resource_exhausted where its principal sends too many. */
  spendMessage: (() => void) | undefined;
}

export interface StreamLimits {
  /** Counts a stream until it ends. @throws ConnectError resource_exhausted where its principal has too many. */
  open(principal: Principal, stream: LimitedStream): void;
}

/** Creates the limits; undefined if there are none. */
export function createStreamLimits({ maxOpen, messagesPerSecond }: StreamLimitOptions): StreamLimits | undefined {
  if (maxOpen === 0 && messagesPerSecond === 0) return undefined;
  const openOf = new Map<string, number>();
  const messages =
    messagesPerSecond === 0
      ? undefined
      : new RateLimiter({
          perSecond: messagesPerSecond,
          burst: 2 * messagesPerSecond,
          maxKeys: MAX_RATE_LIMITED_KEYS,
        });
  const take = (key: string, stream: LimitedStream) => {
    const open = openOf.get(key) ?? 0;
    if (open >= maxOpen) throw new ConnectError("too many open streams", Code.ResourceExhausted);
    openOf.set(key, open + 1);
    stream.onEnd(() => {
      const left = (openOf.get(key) ?? 0) - 1;
      if (left > 0) openOf.set(key, left);
      else openOf.delete(key);
    });
  };
  return {
    open({ subject }, stream) {
      // The client has gone while its token was verified.
      if (stream.hasEnded) return;
      const key = keyOf(subject);
      if (maxOpen > 0) take(key, stream);
      if (!messages) return;
      stream.spendMessage = () => {
        const waitMs = messages.spend(key);
        if (waitMs > 0) throw rateExceeded(waitMs, "too many messages");
      };
    },
  };
}
