/** Requests over HTTP/1.1 get their bodies either ahead of Node's queue, or after waiting for their turn. */
import { IncomingMessage } from "node:http";
import { withProbe } from "@rollcall/testing/probe-service";
import { startServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { connectWith } from "../hardening/support/connect-with.ts";

/** Blocks the event loop for longer than one turn may last. */
function holdTurn(): void {
  const untilMs = performance.now() + 15;
  while (performance.now() < untilMs);
}

/** Bodies of a JSON text, by the way they are sent. */
const bodies = {
  "in one piece": (text: string) => `content-length: ${text.length}\r\n\r\n${text}`,
  "in chunks": (text: string) =>
    `transfer-encoding: chunked\r\n\r\n${[...text].map((char) => `1\r\n${char}\r\n`).join("")}0\r\n\r\n`,
};
const cases = Object.keys(bodies).flatMap((how) =>
  [0, 1, 3, 9].map((late) => ({ how: how as keyof typeof bodies, late })),
);

test.each(cases)("a body $how is read, if all but $late bytes of it come meanwhile", async ({ how, late }) => {
  const handled: string[] = [];
  await using server = await startServer(
    withProbe({
      unary({ value }) {
        handled.push(value);
        holdTurn();
        return { value };
      },
    }),
  );
  const { authorization } = await server.auth();
  const url = `${server.url}/probe.v1.ProbeService/Unary`;
  // A known token is checked immediately, so that the first call below blocks the turn in which the others arrive.
  await fetch(url, { method: "POST", headers: { authorization, "content-type": "application/json" }, body: '"first"' });
  const head = `POST /probe.v1.ProbeService/Unary HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nauthorization: ${authorization}\r\n`;
  const first = head + bodies["in one piece"]('"one"');
  const bytes = first + ["two", "three"].map((value) => head + bodies[how](JSON.stringify(value))).join("");
  using connection = connectWith(server.port, bytes.slice(0, bytes.length - late));
  await until(() => connection.answer.includes('"two"'));
  connection.socket.write(bytes.slice(bytes.length - late));
  await until(() => connection.answer.includes('"three"'));
  // Pipelined requests may be handled concurrently. Their answers come in the order of the requests (RFC 9112, 9.3.2).
  expect(handled.toSorted()).toEqual(["first", "one", "three", "two"]);
  expect(connection.answer.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
  expect(connection.answer.match(/"(?:one|two|three)"/g)).toEqual(['"one"', '"two"', '"three"']);
});

test("a request without a body is answered in its turn", async () => {
  await using server = await startServer(
    withProbe({
      unary({ value }) {
        holdTurn();
        return { value: `got ${value}` };
      },
    }),
  );
  const { authorization } = await server.auth();
  await fetch(`${server.url}/probe.v1.ProbeService/Unary?encoding=json&message=%22%22`, { headers: { authorization } });
  const get = (value: string) =>
    `GET /probe.v1.ProbeService/Unary?encoding=json&message=%22${value}%22 HTTP/1.1\r\nhost: a\r\nauthorization: ${authorization}\r\n\r\n`;
  using connection = connectWith(server.port, get("one") + get("two") + get("three"));
  await until(() => connection.answer.includes('"got three"'));
  expect(connection.answer.match(/"got \w+"/g)).toEqual(['"got one"', '"got two"', '"got three"']);
});

test("requests end by themselves on a Node that can't end them at once", async () => {
  await using server = await startServer(withProbe({ unary: ({ value }) => ({ value }) }));
  const { authorization } = await server.auth();
  const prototype: { _dumpAndCloseReadable?: () => void } = IncomingMessage.prototype as object;
  const end = prototype._dumpAndCloseReadable;
  // This version of Node can, so the test has something to remove.
  expect(end).toBeTypeOf("function");
  delete prototype._dumpAndCloseReadable;
  try {
    const head = (token: string) =>
      `POST /probe.v1.ProbeService/Unary HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n${token}`;
    const known = head(`authorization: ${authorization}\r\n`);
    using connection = connectWith(server.port, "");
    for (const [index, request] of [
      known + bodies["in one piece"]('"a"'),
      head("") + bodies["in one piece"]('"b"'),
      known + bodies["in chunks"]('"c"'),
      known + bodies["in one piece"]('"d"'),
    ].entries()) {
      connection.socket.write(request);
      await until(() => connection.answer.match(/HTTP\/1\.1 \d+/g)?.length === index + 1);
    }
    expect(connection.answer.match(/HTTP\/1\.1 \d+/g)).toEqual([200, 401, 200, 200].map((code) => `HTTP/1.1 ${code}`));
  } finally {
    if (end) prototype._dumpAndCloseReadable = end;
  }
});
