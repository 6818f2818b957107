import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import {
  type CallOptions,
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientWritableStream,
  credentials,
  type Metadata,
  type ServiceError,
} from "@grpc/grpc-js";

/** A method's descriptor, as generated, with the types of its messages. */
type Method<Kind extends DescMethod["methodKind"], I extends DescMessage, O extends DescMessage> = DescMethod & {
  methodKind: Kind;
  input: I;
  output: O;
};

/** grpc-js's client, typed by the generated descriptors. All its messages are protobuf-es messages. */
export class GrpcJsClient implements Disposable {
  readonly #client: Client;
  readonly #metadata: Metadata;

  /**
   * @param ca PEM of the authority to trust; plaintext without one.
   * @param host In grpc-js's form: an IPv6 address has brackets.
   */
  constructor(port: number, metadata: Metadata, ca?: string, options: ChannelOptions = {}, host = "localhost") {
    const channel = ca ? credentials.createSsl(Buffer.from(ca)) : credentials.createInsecure();
    this.#client = new Client(`${host}:${port}`, channel, options);
    this.#metadata = metadata;
  }

  unary<I extends DescMessage, O extends DescMessage>(
    method: Method<"unary", I, O>,
    request: MessageInitShape<I>,
    options: CallOptions = {},
  ): Promise<MessageShape<O>> {
    const { path, serialize, deserialize } = wire(method);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        serialize,
        deserialize,
        create(method.input, request),
        this.#metadata,
        options,
        (error, response) => (response ? resolve(response) : reject(error)),
      );
    });
  }

  serverStream<I extends DescMessage, O extends DescMessage>(
    method: Method<"server_streaming", I, O>,
    request: MessageInitShape<I>,
    options: CallOptions = {},
  ): ClientReadableStream<MessageShape<O>> {
    const { path, serialize, deserialize } = wire(method);
    const message = create(method.input, request);
    return this.#client.makeServerStreamRequest(path, serialize, deserialize, message, this.#metadata, options);
  }

  /** @param callback Called with the response, once. */
  clientStream<I extends DescMessage, O extends DescMessage>(
    method: Method<"client_streaming", I, O>,
    callback: (error: ServiceError | null, response?: MessageShape<O>) => void,
  ): ClientWritableStream<MessageShape<I>> {
    const { path, serialize, deserialize } = wire(method);
    return this.#client.makeClientStreamRequest(path, serialize, deserialize, this.#metadata, callback);
  }

  bidiStream<I extends DescMessage, O extends DescMessage>(
    method: Method<"bidi_streaming", I, O>,
  ): ClientDuplexStream<MessageShape<I>, MessageShape<O>> {
    const { path, serialize, deserialize } = wire(method);
    return this.#client.makeBidiStreamRequest(path, serialize, deserialize, this.#metadata);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** Returns the error with its details, decoded from the trailers that grpc-js keeps. */
export function connectErrorOf({ code, details, metadata }: ServiceError): ConnectError | undefined {
  const [status] = metadata.get("grpc-status-details-bin");
  return findTrailerError(
    new Headers({
      "grpc-status": String(code),
      "grpc-message": encodeURIComponent(details),
      ...(status && { "grpc-status-details-bin": Buffer.from(status).toString("base64") }),
    }),
  );
}

function wire<I extends DescMessage, O extends DescMessage>({
  input,
  output,
  parent,
  name,
}: DescMethod & { input: I; output: O }) {
  return {
    path: `/${parent.typeName}/${name}`,
    serialize: (message: MessageShape<I>) => Buffer.from(toBinary(input, message)),
    deserialize: (bytes: Buffer) => fromBinary(output, bytes),
  };
}
