import type { ConnectError } from "@connectrpc/connect";
import { createEndStreamSerialization, endStreamFlag } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { envelope } from "@rollcall/shared/envelope";
import type { CallContext } from "./context.ts";
import {
  addHeaders,
  type CallForm,
  connectForm,
  GRPC_OK,
  grpcForm,
  grpcWebForm,
  toTrailers,
  trailerEnvelope,
  WEB_OK,
} from "./forms.ts";
import type { Wire } from "./wire.ts";

const endStream = createEndStreamSerialization(undefined);
const CONNECT_OK = envelope(endStreamFlag, Buffer.from("{}"));

/** How one protocol reads and writes calls with many messages in one format. */
export interface StreamForm extends CallForm {
  /** Sends the headers of an answer. @param coding Coding that its messages may have. */
  begin(wire: Wire, headers: string[], context: CallContext | undefined, coding: string | undefined): void;
  /**
   * Ends an answer that has begun.
   *
   * @param rest Messages that have not been written, in their envelopes.
   * @returns The size of the part of the body that is sent now, in bytes.
   */
  end(
    wire: Wire,
    rest: Uint8Array | undefined,
    error: ConnectError | undefined,
    context: CallContext | undefined,
  ): number;
}

function begin(contentType: string, encodingHeader: string): StreamForm["begin"] {
  return (wire, headers, context, coding) => {
    headers.push("content-type", contentType);
    if (coding !== undefined) headers.push(encodingHeader, coding);
    if (context?.ownHeader) addHeaders(headers, context.ownHeader);
    wire.respond(200, headers);
  };
}

function grpcStreamForm(format: "binary" | "json", contentType: string): StreamForm {
  const form = grpcForm(format, contentType);
  return {
    ...form,
    begin: begin(contentType, form.encodingHeader),
    end(wire, rest, error, context) {
      const own = context?.ownTrailer;
      if (error) wire.end(rest, toTrailers(setTrailerStatus(new Headers(own), error)));
      else wire.end(rest, own ? { ...toTrailers(own), ...GRPC_OK } : GRPC_OK);
      return rest?.byteLength ?? 0;
    },
  };
}

/** Ends the body with a last envelope. */
function endWith(wire: Wire, rest: Uint8Array | undefined, end: Uint8Array): number {
  const bytes = rest ? Buffer.concat([rest, end]) : end;
  wire.end(bytes);
  return bytes.byteLength;
}

function grpcWebStreamForm(format: "binary" | "json", contentType: string): StreamForm {
  const form = grpcWebForm(format, contentType);
  return {
    ...form,
    begin: begin(contentType, form.encodingHeader),
    end(wire, rest, error, context) {
      const own = context?.ownTrailer;
      if (!error && !own) return endWith(wire, rest, WEB_OK);
      return endWith(wire, rest, trailerEnvelope(setTrailerStatus(new Headers(own), error)));
    },
  };
}

function connectStreamForm(format: "binary" | "json", contentType: string): StreamForm {
  const encodingHeader = "connect-content-encoding";
  const beginAnswer = begin(contentType, encodingHeader);
  const end: StreamForm["end"] = (wire, rest, error, context) => {
    const own = context?.ownTrailer;
    if (!error && !own) return endWith(wire, rest, CONNECT_OK);
    const bytes = endStream.serialize({ metadata: new Headers(own), ...(error && { error }) });
    return endWith(wire, rest, envelope(endStreamFlag, bytes));
  };
  return {
    ...connectForm(format, contentType),
    encodingHeader,
    acceptHeader: "connect-accept-encoding",
    endFlag: endStreamFlag,
    begin: beginAnswer,
    end,
    sendError(wire, headers, error, context) {
      beginAnswer(wire, headers, context, undefined);
      return end(wire, undefined, error, context);
    },
  };
}

/** The forms by plain content type, as for unary calls. */
export const streamForms: ReadonlyMap<string, StreamForm> = new Map([
  ["application/grpc", grpcStreamForm("binary", "application/grpc+proto")],
  ["application/grpc+proto", grpcStreamForm("binary", "application/grpc+proto")],
  ["application/grpc+json", grpcStreamForm("json", "application/grpc+json")],
  ["application/grpc-web", grpcWebStreamForm("binary", "application/grpc-web+proto")],
  ["application/grpc-web+proto", grpcWebStreamForm("binary", "application/grpc-web+proto")],
  ["application/grpc-web+json", grpcWebStreamForm("json", "application/grpc-web+json")],
  ["application/connect+proto", connectStreamForm("binary", "application/connect+proto")],
  ["application/connect+json", connectStreamForm("json", "application/connect+json")],
]);
