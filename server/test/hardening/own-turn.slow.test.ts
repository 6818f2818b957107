import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import { gunzipSync, gzipSync } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { withProbe } from "@rollcall/testing/probe-service";
import { postTo } from "@rollcall/testing/raw/http2";
import { begin, body, HALF_CLOSE } from "@rollcall/testing/raw/web-socket";
import { startServer, type TestServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { keepThreadsBusy } from "./support/busy-threads.ts";

const UPLOAD = "/probe.v1.ProbeService/ClientStream";
const MIB = 1024 ** 2;
const KIB = 1024;

const messageOf = (bytes: number) =>
  toBinary(StringValueSchema, create(StringValueSchema, { value: "a".repeat(bytes) }));
/** Message that one of the server's threads inflates to 1.5 MiB, and that is kept until the next one. */
const inflated = encodeEnvelope(1, gzipSync(messageOf(1.5 * MIB)));

interface Upload {
  send(bytes: Uint8Array): void;
  end(): void;
  /** Everything that was received before the call's end, however it ended. */
  readonly ended: Promise<string>;
}

type Open = (server: TestServer, name: string) => Promise<Upload>;

function createHttp2(url: string): { open: Open; destroy(): void } {
  const client = http2.connect(url);
  return {
    async open(server, name) {
      const more = { "content-type": "application/grpc", "grpc-encoding": "gzip", te: "trailers", "x-name": name };
      const stream = client.request(postTo(UPLOAD, { ...more, ...(await server.auth()) }));
      return { send: (bytes) => stream.write(bytes), end: () => stream.end(), ended: textOf(stream) };
    },
    destroy: () => client.destroy(),
  };
}

const openHttp1: Open = async (server, name) => {
  const more = { "content-type": "application/grpc-web+proto", "grpc-encoding": "gzip", "x-name": name };
  const request = http.request(server.url + UPLOAD, { method: "POST", headers: { ...more, ...(await server.auth()) } });
  const ended = new Promise<string>((resolve) => {
    request.on("response", (response) => resolve(textOf(response))).on("error", () => resolve(""));
  });
  return { send: (bytes) => request.write(bytes), end: () => request.end(), ended };
};

const openWebSocket: Open = async (server, name) => {
  const { ws, received, closed } = await begin(server, UPLOAD, `grpc-encoding: gzip\r\nx-name: ${name}\r\n`);
  return {
    send: (bytes) => ws.send(body(bytes)),
    end: () => ws.send(HALF_CLOSE),
    ended: closed.then(() => Buffer.concat(received).toString("latin1")),
  };
};

/** Makes a call on its own connection, whose answer will be deflated. */
async function openUnary(server: TestServer) {
  const more = { "content-type": "application/grpc", "grpc-accept-encoding": "gzip", te: "trailers" };
  const client = http2.connect(server.url);
  await once(client, "connect");
  const stream = client.request(postTo("/probe.v1.ProbeService/Unary", { ...more, ...(await server.auth()) }));
  const answer = textOf(stream).then((text) => {
    client.destroy();
    return Buffer.from(text, "latin1");
  });
  return { send: (bytes: Uint8Array) => stream.end(bytes), answer };
}

/** Reads to the end, or to the point where the stream is cut off. */
async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  let text = "";
  try {
    for await (const bytes of stream) text += bytes.toString("latin1");
  } catch {
    // The stream was cut off.
  }
  return text;
}

test.each(["direct", "stock"] as const)(
  "calls that wait for one of the server's threads are not ended as stalled (%s); those that wait for their clients are",
  async (rpcEngine) => {
    const heard: string[] = [];
    const probe = withProbe({
      unary: ({ value }) => ({ value }),
      async clientStream(requests, { requestHeader }) {
        let bytes = 0;
        for await (const { value } of requests) {
          bytes += value.length;
          heard.push(requestHeader.get("x-name") ?? "");
        }
        return { value: `${bytes} bytes` };
      },
    });
    // One message may be kept on a connection, but not two. All of them together exceed the process's limit.
    const limits = { maxConnectionBytes: 256 * KIB, maxHeldBytes: 3 * MIB };
    await using server = await startServer({ ...probe, rpcEngine, limits });
    const multiplexed = createHttp2(server.url);
    const opens = { "HTTP/2": multiplexed.open, "HTTP/1.1": openHttp1, WebSocket: openWebSocket };
    const sayAndWait = async (upload: Upload, name: string, message: Uint8Array) => {
      const before = heard.length;
      upload.send(message);
      await until(() => heard.length > before);
      expect(heard.at(-1)).toBe(name);
    };
    const busy: Upload[] = [];
    const quiet: Upload[] = [];
    for (const [wire, open] of Object.entries(opens)) {
      const [first, second] = [await open(server, `busy, ${wire}`), await open(server, `quiet, ${wire}`)];
      // Both calls must have begun, since none begins after too much is kept.
      await sayAndWait(first, `busy, ${wire}`, encodeEnvelope(0, messageOf(1)));
      await sayAndWait(second, `quiet, ${wire}`, encodeEnvelope(0, messageOf(1)));
      await sayAndWait(first, `busy, ${wire}`, inflated);
      await sayAndWait(second, `quiet, ${wire}`, encodeEnvelope(0, messageOf(MIB)));
      busy.push(first);
      quiet.push(second);
    }
    const answered = await openUnary(server);
    {
      using _ = keepThreadsBusy();
      answered.send(encodeEnvelope(0, messageOf(600 * KIB)));
      for (const upload of busy) {
        upload.send(inflated);
        upload.end();
      }
      const allQuiet = Promise.all(quiet.map(({ ended }) => ended));
      const anyBusy = Promise.race(busy.map(({ ended }) => ended));
      expect(await Promise.race([allQuiet, anyBusy])).toEqual(["", "", ""]);
    }
    for (const upload of busy) expect(await upload.ended).toContain(`${3 * MIB + 1} bytes`);
    expect(heard).toHaveLength(15);
    const answer = fromBinary(StringValueSchema, gunzipSync((await answered.answer).subarray(5)));
    expect(answer.value).toHaveLength(600 * KIB);
    multiplexed.destroy();
  },
);
