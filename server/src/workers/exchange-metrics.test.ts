import { EventEmitter } from "node:events";
import parse from "parse-prometheus-text-format";
import { expect, test } from "vitest";
import { Histogram } from "../runtime/histogram.ts";
import type { Metric } from "../telemetry/metrics/metric.ts";
import { type Channel, createMetricsExchange, MetricsGatherer } from "./exchange-metrics.ts";

/** Creates the two ends of a channel that carries JSON, like one between two processes. */
function createChannel(): { readonly above: Channel; readonly below: Channel } {
  const ends = [new EventEmitter(), new EventEmitter()] as const;
  const end = (own: EventEmitter, other: EventEmitter): Channel => ({
    on: (event, listener) => own.on(event, listener),
    send: (message) => setImmediate(() => other.emit("message", JSON.parse(JSON.stringify(message)))),
  });
  return { above: end(ends[0], ends[1]), below: end(ends[1], ends[0]) };
}

/** Returns the metrics of a worker that has served this many calls. */
function metricsOf(calls: number): Metric[] {
  const histogram = new Histogram([1, 2]);
  for (let i = 0; i < calls; i++) histogram.record(2);
  const of = { unit: "1", description: "Of a test" };
  return [
    { ...of, name: "calls", kind: "counter", points: () => [{ attributes: { code: "ok" }, value: calls }] },
    { ...of, name: "open", kind: "upDownCounter", points: () => [{ attributes: {}, value: 1 }] },
    { ...of, name: "sizes", kind: "histogram", points: () => [{ attributes: {}, value: histogram }] },
    { ...of, name: "delay", kind: "gauge", isOfProcess: true, points: () => [{ attributes: {}, value: calls }] },
  ];
}

/** Starts a worker of the gatherer that answers with these metrics. */
function startWorker(gatherer: MetricsGatherer, number: number, read: () => readonly Metric[]) {
  const { above, below } = createChannel();
  const exchange = createMetricsExchange(below);
  exchange.offer(read);
  gatherer.add(number, above);
  return exchange;
}

/** Reads all metrics at one worker, as `name labels -> value`. */
async function read(exchange: ReturnType<typeof createMetricsExchange>): Promise<Record<string, number>> {
  // The parser represents histograms differently.
  const text = (await exchange.readAll()).replaceAll(/^# TYPE \S+ histogram\n/gm, "");
  return Object.fromEntries(
    parse(text).flatMap(({ name, metrics }) =>
      metrics.map(({ labels, value }) => [[name, ...Object.values(labels ?? {})].join(" "), Number(value)]),
    ),
  );
}

test("each worker has the sums of all, and what is of a process apart", async () => {
  const gatherer = new MetricsGatherer(2);
  const workers = [1, 2].map((number) => startWorker(gatherer, number, () => metricsOf(number)));
  const answers = await Promise.all(workers.map(read));
  for (const answer of answers) {
    expect(answer).toEqual({
      "calls_ratio_total ok": 3,
      open_ratio: 2,
      "sizes_ratio_bucket 1": 0,
      "sizes_ratio_bucket 2": 3,
      "sizes_ratio_bucket +Inf": 3,
      sizes_ratio_sum: 6,
      sizes_ratio_count: 3,
      "delay_ratio 1": 1,
      "delay_ratio 2": 2,
      "rollcall_workers serving": 2,
      "rollcall_workers silent": 0,
      "rollcall_workers down": 0,
    });
  }
});

test("a worker that does not answer counts with its last answer, and is reported", async () => {
  const gatherer = new MetricsGatherer(2, 200);
  const one = startWorker(gatherer, 1, () => metricsOf(1));
  let isSilent = false;
  // An answer that is too large is ignored like a missing one. The hanging worker below sends none.
  const tooMuch = metricsOf(0)
    .slice(0, 1)
    .map((metric) => ({ ...metric, description: "x".repeat(9 * 1024 ** 2) }));
  startWorker(gatherer, 2, () => (isSilent ? tooMuch : metricsOf(2)));
  // On a busy machine, a worker that answers may once be too late.
  await expect.poll(() => read(one)).toMatchObject({ "rollcall_workers serving": 2, "rollcall_workers silent": 0 });
  isSilent = true;
  await expect
    .poll(() => read(one))
    .toMatchObject({ "calls_ratio_total ok": 3, "rollcall_workers serving": 1, "rollcall_workers silent": 1 });
  const hanging = createChannel();
  gatherer.remove(2);
  gatherer.add(2, hanging.above);
  await expect.poll(() => read(one)).toMatchObject({ "rollcall_workers serving": 1, "rollcall_workers silent": 1 });
});

test("what a worker had counted before it ended still counts, once, and what it held does not", async () => {
  const gatherer = new MetricsGatherer(2);
  const one = startWorker(gatherer, 1, () => metricsOf(1));
  startWorker(gatherer, 2, () => metricsOf(5));
  await read(one);
  gatherer.remove(2);
  const down = { "calls_ratio_total ok": 6, open_ratio: 1, sizes_ratio_count: 6, "rollcall_workers down": 1 };
  expect(await read(one)).toMatchObject(down);
  expect(await read(one)).toMatchObject(down);
  startWorker(gatherer, 2, () => metricsOf(1));
  expect(await read(one)).toMatchObject({ "calls_ratio_total ok": 7, "delay_ratio 2": 1, "rollcall_workers down": 0 });
});

test("without an answer from above, there are no metrics", async () => {
  const { below } = createChannel();
  await expect(createMetricsExchange(below, 10).readAll()).rejects.toThrow("does not answer");
});
