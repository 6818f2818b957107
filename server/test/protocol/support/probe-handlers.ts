import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import type { ProbeHandlers } from "@rollcall/testing/probe-service";

/** Sets a header or a trailer, or fails, as the message's value asks. */
function heed(value: string, { responseHeader, responseTrailer }: HandlerContext) {
  if (value === "header") responseHeader.set("x-own", "1");
  if (value === "trailer") responseTrailer.set("x-own-trailer", "1");
  if (value === "fail") throw new ConnectError("as asked, ü", Code.Aborted, { "x-of-error": "1" });
}

/** Handlers that answer, fail, and set headers and trailers as their messages ask. */
export const probeHandlers: ProbeHandlers = {
  unary({ value }, context) {
    heed(value, context);
    return { value: value.repeat(2) };
  },
  async *serverStream({ value }, context) {
    heed(value, context);
    yield { value };
    yield { value: `${value}${value}` };
    if (value === "a") throw new ConnectError("late", Code.DataLoss);
  },
  async clientStream(requests, context) {
    const lengths: number[] = [];
    for await (const { value } of requests) {
      heed(value, context);
      lengths.push(value.length);
    }
    return { value: lengths.join() };
  },
  async *bidiStream(requests, context) {
    for await (const { value } of requests) {
      heed(value, context);
      yield { value };
    }
  },
};
