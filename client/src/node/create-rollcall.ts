import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { type CommonOptions, createCallChain, DEFAULT_TIMEOUT_MS } from "../options.ts";
import { Rollcall } from "../rollcall.ts";
import { openChat } from "../streams/chat.ts";
import {
  type Sha256,
  type UploadFunction,
  type UploadOptions,
  type UploadReceipt,
  type UploadSource,
  upload,
} from "../streams/upload.ts";
import { Streams } from "../streams.ts";
import { createFastPath } from "./fast-path.ts";
import { type NodeTransportOptions, openTransport } from "./transport.ts";

export type NodeRollcallOptions = CommonOptions & NodeTransportOptions;

/** Client for Node. */
export type NodeRollcall = Rollcall<NodeStreams>;

/** A file is read in pieces of the size of a chunk. */
const READ_BYTES = 64 * 1_024;

/**
 * Creates a client with its own pool of connections, which `close` closes.
 *
 * @throws TypeError as `createNodeTransport`.
 */
export function createRollcall(options: NodeRollcallOptions): NodeRollcall {
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const chain = createCallChain(options);
  const { interceptors, closing } = chain;
  const transport = openTransport({ ...options, timeoutMs, interceptors }, createFastPath(options, chain));
  return new Rollcall({
    closing,
    renewsTokens: options.getToken !== undefined,
    transport,
    createStreams: (calls) => new NodeStreams(calls, { upload: uploadByNode, openChat }),
    close: () => transport.close(),
  });
}

/** The streams, whose uploads also take files by path. */
export class NodeStreams extends Streams {
  /**
   * @throws ChecksumMismatchError
   * @throws Error of the file system
   */
  override async upload(source: string | UploadSource, options: UploadOptions = {}): Promise<UploadReceipt> {
    if (typeof source !== "string") return super.upload(source, options);
    const { size } = await stat(source);
    const file = createReadStream(source, { highWaterMark: READ_BYTES });
    try {
      return await super.upload(file, { ...options, totalBytes: options.totalBytes ?? size });
    } finally {
      file.destroy();
    }
  }
}

const uploadByNode: UploadFunction = (calls, source, options) => upload(calls, source, createSha256(), options);

function createSha256(): Sha256 {
  const hash = createHash("sha256");
  return {
    update(bytes) {
      hash.update(bytes);
    },
    hex: () => hash.digest("hex"),
  };
}
