import { expect, test } from "vitest";
import { placeOfNodeModule, placeOfSource } from "./places.ts";

test.each([
  ["node:internal/http2/core", "node:http2"],
  ["node:internal/streams/writable", "node:stream"],
  ["node:events", "node:events"],
])("%s is a part of %s", (url, place) => {
  expect(placeOfNodeModule(url)).toBe(place);
});

test.each([
  [
    "../../node_modules/.pnpm/@bufbuild+protobuf@2.17.0/node_modules/@bufbuild/protobuf/dist/x.js",
    "@bufbuild/protobuf",
  ],
  ["../../node_modules/.pnpm/pino@10.4.0/node_modules/pino/pino.js", "pino"],
  ["../src/transport/engine/call.ts", "server/src/transport/engine"],
  ["../../gen/user/v1/user_pb.js", "gen/user/v1"],
])("%s is of %s", (source, place) => {
  expect(placeOfSource(source)).toBe(place);
});
