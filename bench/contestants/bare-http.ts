/** The limit of node:http, HTTP/1.1: a constant answer in Connect's JSON, nothing checked. */
import http from "node:http";
import { toJsonString } from "@bufbuild/protobuf";
import { UserSchema } from "@rollcall/gen/user/v1/user";
import { toMessage } from "./shared/messages.ts";
import { readSettings } from "./shared/settings.ts";
import { seededUsers } from "./shared/users.ts";

const { port } = readSettings();
const [first] = seededUsers();
if (!first) throw new Error("there are no users");
const reply = `{"user":${toJsonString(UserSchema, toMessage(first))}}`;
const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(reply) };

const server = http.createServer((request, response) => {
  request.resume();
  response.writeHead(200, headers);
  response.end(reply);
});
server.listen(port, "127.0.0.1");
