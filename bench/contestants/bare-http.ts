/** The limit of node:http, HTTP/1.1: a constant answer in Connect's JSON or protobuf, nothing checked. */
import http from "node:http";
import { toJsonString } from "@bufbuild/protobuf";
import { UserSchema } from "@rollcall/gen/user/v1/user";
import { encodeUserReply, toMessage } from "./shared/messages.ts";
import { readSettings } from "./shared/settings.ts";
import { seededUsers } from "./shared/users.ts";

const { port } = readSettings();
const [first] = seededUsers();
if (!first) throw new Error("there are no users");
const json = answerOf("application/json", `{"user":${toJsonString(UserSchema, toMessage(first))}}`);
const proto = answerOf("application/proto", encodeUserReply(first));

function answerOf(contentType: string, body: string | Uint8Array) {
  const bytes = Buffer.from(body);
  return { headers: { "content-type": contentType, "content-length": bytes.byteLength }, bytes };
}

const server = http.createServer((request, response) => {
  request.resume();
  const { headers, bytes } = request.headers["content-type"] === "application/proto" ? proto : json;
  response.writeHead(200, headers);
  response.end(bytes);
});
server.listen(port, "127.0.0.1");
