/** Clients that withhold a body until the server sends 100 get their answer. */
import { once } from "node:events";
import http2 from "node:http2";
import { connectJson, connectStream } from "@rollcall/testing/open-request";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

const calls = [
  { path: "/user.v1.UserService/ListUsers", ...connectJson, body: "{}" },
  { path: "/stream.v1.StreamService/ClientStream", ...connectStream, body: "" },
  { path: "/stream.v1.StreamService/BidirectionalStream", ...connectStream, body: "" },
];

test.each(calls)("of $path over HTTP/2, when the gate has let them in", async ({ path, contentType, body }) => {
  await using server = await startServer();
  const session = http2.connect(server.url);
  const begin = (headers: Record<string, string>) =>
    session.request({
      ":method": "POST",
      ":path": path,
      "content-type": contentType,
      expect: "100-continue",
      ...headers,
    });
  const letIn = begin(await server.auth());
  await once(letIn, "continue");
  letIn.end(body);
  const [answer] = await once(letIn, "response");
  expect(answer).toMatchObject({ ":status": 200 });
  // A refused request gets its answer without sending a body.
  const refused = begin({});
  const [refusal] = await once(refused, "response");
  expect(refusal[":status"]).toBe(contentType === connectJson.contentType ? 401 : 200);
  session.destroy();
});
