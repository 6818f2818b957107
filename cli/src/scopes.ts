import { getOption } from "@bufbuild/protobuf";
import { auth } from "@rollcall/gen/rollcall/options/v1/auth";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";

const methods = [...UserService.methods, ...StreamService.methods];

/** Scopes that Rollcall's methods require, in the order of its contract. */
export const SCOPES: readonly string[] = [
  ...new Set(
    methods.flatMap((method) => {
      const { caller } = getOption(method, auth);
      return caller.case === "scope" ? [caller.value] : [];
    }),
  ),
];
