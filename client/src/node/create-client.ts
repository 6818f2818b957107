import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { RollcallClient } from "../client.ts";
import { type CommonClientOptions, createInterceptors, DEFAULT_TIMEOUT_MS } from "../options.ts";
import type { Sha256, UploadOptions, UploadReceipt, UploadSource } from "../streams/upload.ts";
import { createNodeTransport, type NodeTransportOptions } from "./transport.ts";

export type NodeRollcallClientOptions = CommonClientOptions & NodeTransportOptions;

/** A file is read in pieces of the size of a chunk. */
const READ_BYTES = 64 * 1_024;

/** Creates a client with its own pool of connections, which `close` closes. */
export function createRollcallClient(options: NodeRollcallClientOptions): NodeRollcallClient {
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const transport = createNodeTransport({ ...options, interceptors: createInterceptors(options) });
  return new NodeRollcallClient({ transport, timeoutMs, createSha256, close: () => transport.close() });
}

/** Client for Node, which also uploads files by path. */
export class NodeRollcallClient extends RollcallClient {
  /**
   * @throws ChecksumMismatchError
   * @throws Error of the file system
   */
  override async uploadFile(source: string | UploadSource, options: UploadOptions = {}): Promise<UploadReceipt> {
    if (typeof source !== "string") return super.uploadFile(source, options);
    const { size } = await stat(source);
    const file = createReadStream(source, { highWaterMark: READ_BYTES });
    try {
      return await super.uploadFile(file, { totalBytes: size, ...options });
    } finally {
      file.destroy();
    }
  }
}

function createSha256(): Sha256 {
  const hash = createHash("sha256");
  return {
    update(bytes) {
      hash.update(bytes);
    },
    hex: () => hash.digest("hex"),
  };
}
