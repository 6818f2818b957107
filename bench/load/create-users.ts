/**
 * Creates users for some seconds, each with an e-mail of its own, which h2load can't do: `create-users.ts URL TOKEN
 * SECONDS`. Prints a line of JSON with the calls that were answered and the time they took.
 */
import { randomBytes } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { CreateUserRequestSchema } from "@rollcall/gen/user/v1/user";
import { envelope } from "../contestants/shared/messages.ts";
import { callUnary, openSession } from "./grpc-session.ts";

const CONNECTIONS = 4;
const CALLS_PER_CONNECTION = 16;

const [url = "", token = "", seconds = "1"] = process.argv.slice(2);
const prefix = randomBytes(4).toString("hex");
const startedMs = performance.now();
const endMs = startedMs + Number(seconds) * 1_000;
let sent = 0;
let answered = 0;

function nextRequest(): Uint8Array {
  sent += 1;
  const request = create(CreateUserRequestSchema, { email: `${prefix}-${sent}@example.com`, name: `User ${sent}` });
  return envelope(toBinary(CreateUserRequestSchema, request));
}

const sessions = Array.from({ length: CONNECTIONS }, () => openSession(url));
await Promise.all(
  sessions.flatMap((session) =>
    Array.from({ length: CALLS_PER_CONNECTION }, async () => {
      while (performance.now() < endMs) {
        await callUnary(session, "/user.v1.UserService/CreateUser", token, nextRequest());
        answered += 1;
      }
    }),
  ),
);
console.log(JSON.stringify({ calls: answered, seconds: (performance.now() - startedMs) / 1_000 }));
for (const session of sessions) session.close();
