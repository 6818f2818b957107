import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { createRollcall, type NodeRollcallOptions } from "@rollcall/client/node";
import { createOpenTelemetryHook } from "@rollcall/client/opentelemetry";
import { startOtlpReceiver } from "@rollcall/testing/otlp/receiver";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

/** Creates an application that keeps its spans and metrics in memory. */
function createApplication() {
  const spans = new InMemorySpanExporter();
  const tracers = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] });
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const meters = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter })] });
  return {
    tracer: tracers.getTracer("application"),
    meter: meters.getMeter("application"),
    spans: () => spans.getFinishedSpans(),
    async durationAttributes() {
      await meters.forceFlush();
      const scopes = exporter.getMetrics().at(-1)?.scopeMetrics ?? [];
      return scopes.flatMap(({ metrics }) =>
        metrics.flatMap(({ dataPoints }) => dataPoints.map((point) => point.attributes)),
      );
    },
    close: () => Promise.all([tracers.shutdown(), meters.shutdown()]),
  };
}

const idsOf = (span: ReadableSpan | undefined) => span?.spanContext();

test.each(["grpc", "connect"] as const)(
  "over %s, a call's spans at client and server are one trace",
  async (protocol) => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    const { tracer, meter, spans, durationAttributes, close } = createApplication();
    await using receiver = await startOtlpReceiver();
    const server = await startServer({ otlp: { endpoint: receiver.endpoint, sampleRatio: 0 } });
    const options: NodeRollcallOptions = { baseUrl: server.url, protocol, token: await server.token() };
    const client = createRollcall({ ...options, trace: createOpenTelemetryHook({ tracer, meter }) });
    await tracer.startActiveSpan("work", async (work) => {
      await client.users.create({ email: "ada@example.com", name: "Ada" });
      await expect(client.users.get("nobody")).rejects.toThrow();
      for await (const _ of client.streams.query("x"));
      work.end();
    });
    await client.close();
    await server.app.close();

    const isGrpc = protocol === "grpc";
    const attributes = (method: string) => ({
      "rpc.system.name": isGrpc ? "grpc" : "connectrpc",
      "rpc.method": method,
      "server.address": "localhost",
      "server.port": server.port,
    });
    const ok = { "rpc.status_code": isGrpc ? "OK" : "ok" };
    const notFound = isGrpc ? "NOT_FOUND" : "not_found";
    const failed = { "rpc.status_code": notFound, "error.type": notFound };
    const expected = [
      { ...attributes("user.v1.UserService/CreateUser"), ...ok },
      { ...attributes("user.v1.UserService/GetUser"), ...failed },
      { ...attributes("stream.v1.StreamService/ServerStream"), ...ok },
    ];
    const calls = spans().filter(({ name }) => name !== "work");
    const work = idsOf(spans().find(({ name }) => name === "work"));
    expect(calls.map((span) => span.attributes)).toEqual(expected);
    expect(calls.map((span) => span.status.code)).toEqual([0, 2, 0]);
    for (const call of calls) expect(call.parentSpanContext?.spanId).toBe(work?.spanId);
    const atServer = receiver.spans.filter(({ kind }) => kind === 2);
    expect(atServer.map(({ traceId, parentSpanId }) => ({ traceId, parentSpanId }))).toEqual(
      calls.map((call) => ({ traceId: work?.traceId, parentSpanId: idsOf(call)?.spanId })),
    );
    expect(await durationAttributes()).toEqual(expected);
    await close();
  },
);

test("without an SDK, the context of the active span goes on to the server", async () => {
  await using server = await startServer();
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const spanContext = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7", traceFlags: 1 };
  const options = { baseUrl: server.url, token: await server.token(), trace: createOpenTelemetryHook() };
  await using client = createRollcall(options);
  await context.with(trace.setSpanContext(context.active(), spanContext), () => client.users.list());
  await client.users.list();
  const traceIds = server.log.filter(({ msg }) => msg === "call").map(({ traceId }) => traceId);
  expect(traceIds).toEqual([spanContext.traceId, undefined]);
});
