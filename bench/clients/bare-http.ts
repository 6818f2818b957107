/** The limit for clients that are built on node:http: constant requests, and answers that are not parsed. */
import { Agent, request } from "node:http";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { GetUserRequestSchema, GetUserResponseSchema } from "@rollcall/gen/user/v1/user";
import { IN_FLIGHT, measureClient } from "./measure.ts";

await measureClient(({ url, token, userId }) => {
  const { hostname: host, port } = new URL(url);
  const agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT.getUser });
  const body = toBinary(GetUserRequestSchema, create(GetUserRequestSchema, { id: userId }));
  const headers = {
    "content-type": "application/proto",
    "connect-protocol-version": "1",
    "content-length": body.byteLength,
    authorization: `Bearer ${token}`,
  };
  const get = () =>
    new Promise<Buffer>((resolve, reject) => {
      const call = request({ agent, host, port, method: "POST", path: "/user.v1.UserService/GetUser", headers });
      call.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => resolve(Buffer.concat(chunks)));
      });
      call.on("error", reject);
      call.end(body);
    });
  return {
    check: async () => fromBinary(GetUserResponseSchema, await get()).user?.name ?? "",
    getUser: async () => {
      await get();
      return 1;
    },
  };
});
