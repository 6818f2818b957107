/**
 * Creates users for some seconds, each with its own e-mail, which h2load can't do: `create-users.ts PORT TOKEN
 * SECONDS`. Prints a line of JSON with the answered calls, the time they took, and the share of a core that this
 * process used. If that is near 1, this process was the bottleneck, not the server.
 */
import { randomBytes } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { CreateUserRequestSchema } from "@rollcall/gen/user/v1/user";
import { envelope } from "../contestants/shared/messages.ts";
import { makeRawCalls } from "./raw-grpc-connection.ts";

const CONNECTIONS = 4;
const CALLS_PER_CONNECTION = 16;

const [port = "", token = "", seconds = "1"] = process.argv.slice(2);
const prefix = randomBytes(4).toString("hex");
const cpuBefore = process.cpuUsage();
const startedMs = performance.now();
const endMs = startedMs + Number(seconds) * 1_000;
let sent = 0;
let answered = 0;

function nextRequest(): Uint8Array | undefined {
  if (performance.now() >= endMs) return undefined;
  sent += 1;
  const request = create(CreateUserRequestSchema, { email: `${prefix}-${sent}@example.com`, name: `User ${sent}` });
  return envelope(toBinary(CreateUserRequestSchema, request));
}

const options = {
  port: Number(port),
  path: "/user.v1.UserService/CreateUser",
  token,
  inFlight: CALLS_PER_CONNECTION,
  nextRequest,
  onAnswer: () => {
    answered += 1;
  },
};
await Promise.all(Array.from({ length: CONNECTIONS }, () => makeRawCalls(options)));
const tookMs = performance.now() - startedMs;
const { user, system } = process.cpuUsage(cpuBefore);
const loadCores = (user + system) / 1_000 / tookMs;
console.log(JSON.stringify({ calls: answered, seconds: tookMs / 1_000, loadCores }));
