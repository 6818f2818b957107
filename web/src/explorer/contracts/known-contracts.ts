import { createRegistry } from "@bufbuild/protobuf";
import { file_buf_validate_validate } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { file_google_rpc_error_details } from "@rollcall/gen/google/rpc/error_details";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { type Contracts, sortServices } from "./contracts.ts";

const services = [UserService, StreamService];

/** Contracts that this app was built with, for servers that do not show theirs. */
export const knownContracts: Contracts = {
  services: sortServices(services),
  registry: createRegistry(
    ...services.map(({ file }) => file),
    ...services.flatMap(({ file }) => file.dependencies),
    file_google_rpc_error_details,
    file_buf_validate_validate,
  ),
};
