/**
 * Both carriers give the same answer to any call. The calls are random, over both HTTP versions, valid and invalid,
 * with bodies that are cut anywhere.
 *
 * Each run begins with the corpus, and prints a call that fails as a line of the corpus. `pnpm fuzz` runs longer: for
 * `FUZZ_SECONDS`, from `FUZZ_SEED` on. `FUZZ_KEEP=1` adds a call of each new kind of answer to the corpus.
 */
import { Agent } from "node:http";
import http2 from "node:http2";
import { withProbe } from "@rollcall/testing/probe-service";
import { createRandom } from "@rollcall/testing/random";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { NewKinds, readCorpus, toLine } from "./support/corpus.ts";
import { FRIEND, makeCall } from "./support/make-call.ts";
import { probeHandlers } from "./support/probe-handlers.ts";
import { type Client, send } from "./support/send-call.ts";

const seed = Number(process.env.FUZZ_SEED ?? 1);
const seconds = Number(process.env.FUZZ_SECONDS ?? 0);
const MADE_UP = 600;

function connect({ url }: TestServer): Client & Disposable {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const session = http2.connect(url);
  return {
    ...{ url, agent, session },
    [Symbol.dispose]() {
      agent.destroy();
      session.destroy();
    },
  };
}

/** Returns the log lines of the calls, in the order of their ids. */
function logged({ log }: TestServer) {
  return log
    .filter(({ msg }) => msg === "call" || msg === "request refused")
    .map(({ requestId, msg, method, protocol, code, status }) => ({ requestId, msg, method, protocol, code, status }))
    .sort((a, b) => String(a.requestId).localeCompare(String(b.requestId)));
}

test(`calls of the corpus, and calls made up with seed ${seed}, have the same answers by both carriers`, {
  timeout: 600_000 + seconds * 2_000,
}, async () => {
  const random = createRandom(seed);
  const options = { ...withProbe(probeHandlers), maxMessageBytes: 100_000, corsOrigins: [FRIEND] };
  const limits = { refusedLinesPerSecond: 1_000_000 };
  await using direct = await startServer({ ...options, ...limits, rpcEngine: "direct" });
  await using stock = await startServer({ ...options, ...limits, rpcEngine: "stock" });
  using one = connect(direct);
  using other = connect(stock);
  const [{ authorization: ofOne }, { authorization: ofOther }] = [await direct.auth(), await stock.auth()];
  const kept = readCorpus();
  const kinds = new NewKinds();
  const least = kept.length + MADE_UP;
  const endMs = performance.now() + seconds * 1_000;
  let calls = 0;
  for (let i = 0; i < least || performance.now() < endMs; i++) {
    calls = i + 1;
    const call = kept[i] ?? makeCall(random);
    const common = { "x-request-id": `fuzz-${i}` };
    const [answer, expected] = await Promise.all([
      send(one, { ...call, headers: { ...common, authorization: ofOne, ...call.headers } }),
      send(other, { ...call, headers: { ...common, authorization: ofOther, ...call.headers } }),
    ]);
    expect(answer, `seed ${seed}, call ${i}: ${toLine(call).slice(0, 20_000)}`).toEqual(expected);
    if (i < kept.length) kinds.know(call, answer);
    else kinds.add(call, answer);
  }
  if (process.env.FUZZ_KEEP) kinds.write();
  await until(() => logged(direct).length >= logged(stock).length);
  expect(logged(direct)).toEqual(logged(stock));
  const carried = ({ log }: TestServer) => log.filter(({ msg }) => msg === "call carried by Connect").length;
  expect(carried(direct)).toBe(0);
  expect(carried(stock)).toBeGreaterThan(calls / 2);
});
