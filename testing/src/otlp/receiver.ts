import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import type { MethodDefinition } from "@grpc/proto-loader";
import { loadSync } from "@grpc/proto-loader";

type Attributes = Readonly<Record<string, string | number>>;

/** A span as it was received. Ids are hexadecimal. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** "" for the first span of a trace. */
  readonly parentSpanId: string;
  readonly name: string;
  /** 2 is a server, 3 a client. */
  readonly kind: number;
  readonly durationMs: number;
  readonly startMs: number;
  readonly attributes: Attributes;
  /** 2 is an error. */
  readonly status: number;
}

export interface ReceivedMetric {
  readonly name: string;
  readonly unit: string;
  readonly kind: "gauge" | "sum" | "histogram";
  readonly isMonotonic: boolean;
  readonly points: readonly {
    readonly attributes: Attributes;
    /** Number of values of a histogram. */
    readonly value: number;
    readonly sum?: number;
    readonly buckets?: readonly number[];
  }[];
}

export interface OtlpReceiver extends AsyncDisposable {
  readonly endpoint: string;
  readonly spans: ReceivedSpan[];
  /** Metrics of the last export. */
  readonly metrics: ReceivedMetric[];
  /** Attributes of the resource of the last export. */
  readonly resource: Attributes;
  /** Number of requests. */
  readonly requests: number;
}

interface KeyValue {
  readonly key: string;
  readonly value: Readonly<Record<string, string | number>> & { readonly value: string };
}

interface Decoded {
  readonly [name: string]: unknown;
}

const options = { longs: Number, bytes: Buffer, defaults: true, oneofs: true };
const service = loadSync(join(import.meta.dirname, "otlp.proto"), options)["otlp.Collector"] as unknown as Record<
  "ExportTraces" | "ExportMetrics",
  MethodDefinition<object, object>
>;

/**
 * Starts an OTLP receiver over HTTP, which reads protobuf by a contract of its own.
 *
 * @param status HTTP status of its answers.
 */
export async function startOtlpReceiver(status = 200): Promise<OtlpReceiver> {
  const received = { spans: [] as ReceivedSpan[], metrics: [] as ReceivedMetric[], resource: {}, requests: 0 };
  const server = createServer(async (request, response) => {
    received.requests += 1;
    const body = await buffer(request);
    const isProtobuf = request.headers["content-type"] === "application/x-protobuf";
    if (isProtobuf && request.url === "/v1/traces") {
      for (const { resource, spans } of readTraces(body)) {
        received.spans.push(...spans);
        received.resource = resource;
      }
    } else if (isProtobuf && request.url === "/v1/metrics") received.metrics = readMetrics(body);
    response.writeHead(status, { "content-type": "application/x-protobuf" }).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    get spans() {
      return received.spans;
    },
    get metrics() {
      return received.metrics;
    },
    get resource() {
      return received.resource;
    },
    get requests() {
      return received.requests;
    },
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Starts a server that accepts requests and never answers. */
export async function startSilentServer(): Promise<
  AsyncDisposable & { readonly url: string; readonly requests: number }
> {
  let requests = 0;
  const server = createServer(() => {
    requests += 1;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get requests() {
      return requests;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function readTraces(body: Buffer): { resource: Attributes; spans: ReceivedSpan[] }[] {
  const { resourceSpans } = service.ExportTraces.requestDeserialize(body) as Decoded;
  return (resourceSpans as Decoded[]).map(({ resource, scopeSpans }) => ({
    resource: attributesOf(resource as Decoded),
    spans: (scopeSpans as Decoded[]).flatMap(({ spans }) => (spans as Decoded[]).map(toSpan)),
  }));
}

function toSpan(span: Decoded): ReceivedSpan {
  const hex = (bytes: unknown) => (bytes as Buffer).toString("hex");
  const start = Number(span.startTimeUnixNano);
  return {
    traceId: hex(span.traceId),
    spanId: hex(span.spanId),
    parentSpanId: hex(span.parentSpanId),
    name: String(span.name),
    kind: Number(span.kind),
    startMs: start / 1e6,
    durationMs: (Number(span.endTimeUnixNano) - start) / 1e6,
    attributes: attributesOf(span),
    status: Number((span.status as Decoded | null)?.code ?? 0),
  };
}

function readMetrics(body: Buffer): ReceivedMetric[] {
  const { resourceMetrics } = service.ExportMetrics.requestDeserialize(body) as Decoded;
  const scopes = (resourceMetrics as Decoded[]).flatMap(({ scopeMetrics }) => scopeMetrics as Decoded[]);
  return scopes.flatMap(({ metrics }) => (metrics as Decoded[]).map(toMetric));
}

function toMetric(metric: Decoded): ReceivedMetric {
  const kind = metric.data as ReceivedMetric["kind"];
  const { dataPoints, isMonotonic = false } = metric[kind] as Decoded;
  const points = (dataPoints as Decoded[]).map((point) => {
    const attributes = attributesOf(point);
    if (kind !== "histogram") return { attributes, value: Number(point.asDouble) };
    const buckets = (point.bucketCounts as unknown[]).map(Number);
    return { attributes, value: Number(point.count), sum: Number(point.sum), buckets };
  });
  return { name: String(metric.name), unit: String(metric.unit), kind, isMonotonic: Boolean(isMonotonic), points };
}

function attributesOf({ attributes }: Decoded): Attributes {
  const pairs = attributes as KeyValue[];
  return Object.fromEntries(pairs.map(({ key, value }) => [key, value[value.value] ?? ""]));
}
