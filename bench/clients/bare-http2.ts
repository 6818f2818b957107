/** The limit of clients that are built on node:http2: constant requests, and answers of which nothing is parsed. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { GetUserRequestSchema, GetUserResponseSchema } from "@rollcall/gen/user/v1/user";
import { envelope } from "../contestants/shared/messages.ts";
import { callUnary, openSession } from "../load/grpc-session.ts";
import { measureClient } from "./measure.ts";

await measureClient(({ url, token, userId }) => {
  const session = openSession(url);
  const body = envelope(toBinary(GetUserRequestSchema, create(GetUserRequestSchema, { id: userId })));
  const get = () => callUnary(session, "/user.v1.UserService/GetUser", token, body);
  return {
    check: async () => fromBinary(GetUserResponseSchema, await get()).user?.name ?? "",
    getUser: async () => {
      await get();
      return 1;
    },
  };
});
