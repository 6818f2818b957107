/** Tests settings of the environment whose effect shows only in a separate process. */
import net from "node:net";
import { startProcess } from "@rollcall/testing/start-process";
import { expect, test } from "vitest";

/**
 * Opens a new connection and sends a request. Returns the connection and the received answer, which is empty if it was
 * closed.
 */
async function open(url: string, path = "/healthz") {
  const { hostname, port } = new URL(url);
  const socket = net.connect(Number(port), hostname);
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk;
  });
  // A refused connection may end with a reset.
  socket.on("error", () => {});
  socket.write(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`);
  await new Promise((resolve) => socket.once("data", resolve).once("close", resolve));
  return { socket, answer, [Symbol.dispose]: () => socket.destroy() };
}

const OK = /^HTTP\/1\.1 200 /;

test("MAX_CONNECTIONS_PER_ADDRESS closes one connection too many, until another has ended", async () => {
  await using server = await startProcess({ env: { MAX_CONNECTIONS_PER_ADDRESS: "2" } });
  using first = await open(server.url);
  using second = await open(server.url);
  expect([first.answer, second.answer]).toEqual([expect.stringMatching(OK), expect.stringMatching(OK)]);
  using third = await open(server.url);
  expect(third.answer).toBe("");
  first.socket.destroy();
  const answerOfNext = async () => {
    using next = await open(server.url);
    return next.answer;
  };
  await expect.poll(answerOfNext).toMatch(OK);
});

test("SHUTDOWN_DELAY_MS keeps a stopped server open to new connections, and not ready", async () => {
  // The delay is longer than the test. Without it the process would end at once, as other tests show.
  await using server = await startProcess({ env: { SHUTDOWN_DELAY_MS: "1h" } });
  server.process.kill("SIGTERM");
  const readiness = async () => {
    using connection = await open(server.url, "/readyz");
    return connection.answer;
  };
  await expect.poll(readiness).toMatch(/^HTTP\/1\.1 503 /);
  using connection = await open(server.url);
  expect(connection.answer).toMatch(OK);
});
