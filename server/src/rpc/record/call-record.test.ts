import { Code, ConnectError } from "@connectrpc/connect";
import { pino } from "pino";
import { expect, test } from "vitest";
import { UserNotFoundError } from "../../domain/errors.ts";
import { malformed } from "../malformed.ts";
import { type CallObserver, CallRecord, type Outcome } from "./call-record.ts";

/** Opens a record, and returns it with what its observer and the log received. */
function openRecord(observers: CallObserver[] = []) {
  const outcomes: Outcome[] = [];
  const lines: string[] = [];
  const call = new CallRecord({
    requestId: "1",
    peer: "192.0.2.1:1",
    method: "a.v1.B/C",
    startedAtMs: performance.now(),
    trace: undefined,
    observers: [...observers, (_, outcome) => outcomes.push(outcome)],
    logger: pino({}, { write: (line: string) => lines.push(line) }),
  });
  return { call, outcomes, lines };
}

const signal = new AbortController().signal;

test("ends once, however often the end is reported", () => {
  const { call, outcomes } = openRecord();
  const ends: string[] = [];
  call.onEnd(() => ends.push("end"));
  call.end(200, true);
  call.fail(new ConnectError("late", Code.Internal));
  call.end(undefined, false);
  expect(outcomes.map(({ code }) => code)).toEqual([undefined]);
  expect(ends).toEqual(["end"]);
});

test("the first failure counts, and is reported once", () => {
  const { call, outcomes } = openRecord();
  let failures = 0;
  call.onFailure(() => failures++);
  call.failInHandler(new UserNotFoundError("x"), signal);
  call.failInProtocol(new ConnectError("the call was canceled", Code.Canceled));
  call.end(200, true);
  expect(outcomes[0]?.code).toBe(Code.NotFound);
  expect(failures).toBe(1);
});

test("a fault while the answer is written replaces the error to send", () => {
  const { call, outcomes, lines } = openRecord();
  call.failInHandler(new UserNotFoundError("x"), signal);
  expect(call.failInServer(new TypeError("no header")).rawMessage).toBe("internal server error");
  call.end(200, true);
  expect(outcomes[0]?.code).toBe(Code.Internal);
  expect(lines.join()).toContain("no header");
});

test("only a failure while the request is read is its sender's fault", () => {
  for (const isReadingRequest of [true, false]) {
    const { call, lines } = openRecord();
    call.protocol = "connect";
    call.isReadingRequest = isReadingRequest;
    const error = new ConnectError("parse binary: premature EOF", Code.Internal);
    call.failInProtocol(error);
    expect(error.code).toBe(isReadingRequest ? Code.InvalidArgument : Code.Internal);
    expect(lines).toHaveLength(isReadingRequest ? 0 : 1);
  }
  const { call } = openRecord();
  call.protocol = "grpc";
  const error = malformed("gzip data ends too early");
  call.failInProtocol(error);
  expect(error.code).toBe(Code.Internal);
});

test("a call whose answer is not read to its end counts as canceled", () => {
  const { call, outcomes } = openRecord();
  call.end(200, false);
  expect(outcomes[0]?.code).toBe(Code.Canceled);
});

test("an observer that throws does not affect the others", () => {
  const failing = () => {
    throw new Error("full");
  };
  const { call, outcomes, lines } = openRecord([failing]);
  call.end(200, true);
  expect(outcomes).toHaveLength(1);
  expect(lines.join()).toContain("full");
});
