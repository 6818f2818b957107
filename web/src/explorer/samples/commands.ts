import type { Samples } from "./sampled-call.ts";
import { bufCurlSample, curlSample, grpcurlSample } from "./shell.ts";

/** The same call as a command, by tool. */
export const commands: Samples = { curl: curlSample, grpcurl: grpcurlSample, "buf curl": bufCurlSample };
