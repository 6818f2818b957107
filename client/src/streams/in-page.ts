/** Uploads and chats without Node: the part of the client that is loaded with the first of them. */
import { createSha256 } from "./sha256.ts";
import { type UploadFunction, upload } from "./upload.ts";

export { openChat } from "./chat.ts";

/** Uploads a source, whose checksum is computed piece by piece. */
export const uploadInPage: UploadFunction = (calls, source, options) => upload(calls, source, createSha256(), options);
