import http from "node:http";
import http2 from "node:http2";

/** Results of a phase of load. Times are in milliseconds. */
export interface LoadResult {
  offeredPerSecond: number;
  /** Calls a second that succeeded within their deadline. */
  goodPerSecond: number;
  late: number;
  refused: number;
  expired: number;
  /** Durations of the health check, which runs all the time on new connections. */
  probeMedianMs: number;
  probeMaxMs: number;
  failedProbes: number;
}

export interface LoadReport {
  peak: LoadResult;
  overload: LoadResult;
  after: LoadResult;
}

/**
 * Loads a server, from a separate process, with gRPC calls that compute. There are three phases: with as many calls as
 * it answers, 64 at the same time; with a multiple of that rate, whether or not it answers; and again with 8 at the
 * same time. The sessions are Node's own, which need less CPU than the server does.
 *
 * Arguments: URL, token, user id, multiple, seconds of a phase, deadline in milliseconds.
 */
const [url = "", token = "", id = "", multiple = "3", seconds = "4", deadlineMs = "1000"] = process.argv.slice(2);
const CONNECTIONS = 10;
const phaseMs = Number(seconds) * 1_000;
const sessions = Array.from({ length: CONNECTIONS }, () => http2.connect(url).on("error", () => {}));
const message = Buffer.concat([Buffer.from([0, 0, 0, 0, id.length + 2, 0x0a, id.length]), Buffer.from(id)]);
const headers = {
  ":method": "POST",
  ":path": "/probe.v1.ProbeService/Unary",
  "content-type": "application/grpc",
  te: "trailers",
  authorization: `Bearer ${token}`,
  "grpc-timeout": `${deadlineMs}m`,
};

let counts = { offered: 0, good: 0, late: 0, refused: 0, expired: 0, failedProbes: 0, probes: [] as number[] };
let next = 0;

function call(): Promise<void> {
  const current = counts;
  current.offered += 1;
  next = (next + 1) % CONNECTIONS;
  const startedAtMs = performance.now();
  return new Promise((resolve) => {
    const session = sessions[next];
    if (!session || session.destroyed) return void setTimeout(resolve, 10);
    const stream = session.request(headers);
    let status: unknown;
    const read = (fields: http2.IncomingHttpHeaders) => {
      status = fields["grpc-status"] ?? status;
    };
    stream
      .on("response", read)
      .on("trailers", read)
      .on("error", () => {})
      .resume();
    stream.on("close", () => {
      if (status === "14") current.refused += 1;
      else if (status === "4") current.expired += 1;
      else if (status === "0" && performance.now() - startedAtMs <= Number(deadlineMs)) current.good += 1;
      else current.late += 1;
      resolve();
    });
    stream.end(message);
  });
}

function probe(): Promise<void> {
  const current = counts;
  const startedAtMs = performance.now();
  return new Promise((resolve) => {
    const end = (isWell: boolean) => {
      current.probes.push(performance.now() - startedAtMs);
      if (!isWell) current.failedProbes += 1;
      resolve();
    };
    const request = http.get(`${url}/healthz`, { agent: false }, (response) => {
      response.resume().on("end", () => end(response.statusCode === 200));
    });
    request.on("error", () => end(false));
  });
}

async function phase(offer: (isOver: () => boolean) => Promise<void>): Promise<LoadResult> {
  counts = { offered: 0, good: 0, late: 0, refused: 0, expired: 0, failedProbes: 0, probes: [] };
  const current = counts;
  const startedAtMs = performance.now();
  const isOver = () => performance.now() - startedAtMs > phaseMs;
  const probing = (async () => {
    while (!isOver()) {
      await probe();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  await offer(isOver);
  const elapsedSeconds = (performance.now() - startedAtMs) / 1_000;
  const good = current.good;
  await probing;
  const probes = current.probes.sort((a, b) => a - b);
  return {
    offeredPerSecond: Math.round(current.offered / elapsedSeconds),
    goodPerSecond: Math.round(good / elapsedSeconds),
    late: current.late,
    refused: current.refused,
    expired: current.expired,
    probeMedianMs: Math.round(probes[Math.floor(probes.length / 2)] ?? 0),
    probeMaxMs: Math.round(probes.at(-1) ?? 0),
    failedProbes: current.failedProbes,
  };
}

/** Makes as many calls as are answered, with a fixed number at the same time. */
const closedLoop = (concurrency: number) => async (isOver: () => boolean) => {
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (!isOver()) await call();
    }),
  );
};

/** Makes a fixed number of calls a second, whether or not they are answered. */
const openLoop = (perSecond: number) => async (isOver: () => boolean) => {
  const startedAtMs = performance.now();
  for (let sent = 0; !isOver(); ) {
    const due = ((performance.now() - startedAtMs) / 1_000) * perSecond;
    for (; sent < due; sent++) void call();
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};

await phase(closedLoop(64));
const peak = await phase(closedLoop(64));
const overload = await phase(openLoop(peak.goodPerSecond * Number(multiple)));
const after = await phase(closedLoop(8));
process.send?.({ peak, overload, after } satisfies LoadReport, () => process.exit());
