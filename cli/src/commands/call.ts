import {
  type DescMethod,
  fromJsonString,
  type Message,
  type MessageShape,
  type Registry,
  toJson,
} from "@bufbuild/protobuf";
import type { CallOptions } from "@connectrpc/connect";
import { toRollcallError } from "@rollcall/client";
import type { NodeRollcall } from "@rollcall/client/node";
import { linesOf, MESSAGE_LINE_LIMIT } from "@rollcall/shared/users-file/lines";
import { Argument, type Command } from "commander";
import { readDescriptors } from "../descriptor-file.ts";
import { UsageError } from "../exit.ts";
import { type Globals, NOTHING_CHANGED, withClient } from "../globals.ts";
import { openInput, STANDARD_INPUT } from "../input.ts";
import type { Io } from "../io.ts";
import {
  findMethod,
  isKnownService,
  isRead,
  jsonRegistry,
  methods as knownMethods,
  methodNames,
  noSuchMethod,
} from "../methods.ts";
import { type Contracts, reflect } from "../reflection.ts";

/** A generated client's method of any kind. */
type AnyCall = (input: unknown, options: CallOptions) => Promise<Message> | AsyncIterable<Message>;

export function addCallCommand(program: Command, io: Io): void {
  program
    .command("call")
    .summary("call any method, with messages in JSON")
    .description(
      "call any method, with messages in JSON. A request is {} by default; - reads one from each line of standard " +
        "input. A stream of requests takes several, by default those of standard input. Prints each answer, on one " +
        "line with --json or where the output is not a terminal",
    )
    .addArgument(
      new Argument(
        "<method>",
        "its full name, or the end of it. The method is in the server's reflection, in the contract of --descriptor, " +
          `or one of these: ${methodNames.join(", ")}`,
      ),
    )
    .argument("[json...]", "the request, or several for a stream of requests")
    .option("--descriptor <file>", "compiled contract with the method, as buf build -o FILE.binpb makes it")
    .action(async (name: string, texts: string[], { descriptor }: { descriptor?: string }, command: Command) => {
      const globals = command.optsWithGlobals<Globals>();
      const begin = (found: FoundMethod) => prepare(found, texts, globals, io);
      const known = descriptor === undefined ? findKnown(name) : findIn(await readDescriptors(descriptor), name);
      // Check the arguments before anything is sent.
      const prepared = known && begin(known);
      let mayHaveWritten = false;
      const whenInterrupted = () =>
        mayHaveWritten ? "canceled; whether the server has acted on it is not known" : NOTHING_CHANGED;
      await withClient(globals, io, whenInterrupted, async ({ client, options }) => {
        const { method, registry, isOne, input } =
          prepared ?? begin(await findByReflection(name, globals, client, options));
        // Its type is one of four, depending on the kind of the method.
        const call = client.service(method.parent)[method.localName] as unknown as AnyCall;
        const request = isOne ? await input.single() : input.all();
        const write = (message: Message) => {
          const json = toJson(method.output, message as MessageShape<typeof method.output>, {
            registry,
            alwaysEmitImplicit: true,
          });
          io.stdout.write(`${JSON.stringify(json, null, io.stdout.isTTY && !globals.json ? 2 : 0)}\n`);
        };
        mayHaveWritten = !isRead(method);
        try {
          const answer = call(request, options);
          if (Symbol.asyncIterator in answer) for await (const message of answer) write(message);
          else write(await answer);
        } catch (error) {
          throw input.fault ?? toRollcallError(error);
        }
        // The messages before it have been answered.
        if (input.fault) throw input.fault;
      });
    });
}

/** A method, and the types that google.protobuf.Any may hold in its messages. */
interface FoundMethod {
  readonly method: DescMethod;
  readonly registry: Registry;
}

/** @throws UsageError for a call that this command can't make. */
function prepare({ method, registry }: FoundMethod, texts: readonly string[], globals: Globals, io: Io) {
  if (method.methodKind === "bidi_streaming" && globals.http === "1.1") {
    throw new UsageError(`${method.name} needs HTTP/2: it can't go with --http 1.1`);
  }
  const isOne = method.methodKind === "unary" || method.methodKind === "server_streaming";
  if (isOne && texts.length > 1) throw new UsageError(`${method.name} takes one message`);
  const given = texts.length > 0 ? texts : [isOne ? "{}" : STANDARD_INPUT];
  return { method, registry, isOne, input: new Requests(method, registry, given, io) };
}

function findKnown(name: string): FoundMethod | undefined {
  const method = findMethod(name);
  return method && { method, registry: jsonRegistry };
}

/** @throws UsageError for a name that none of the methods has. */
function findIn({ methods, registry }: Contracts, name: string, further: readonly DescMethod[] = []): FoundMethod {
  const method = findMethod(name, methods);
  if (!method) throw noSuchMethod([...further, ...methods]);
  return { method, registry };
}

/** Finds a method of a service that the command does not know, by asking the server. @throws UsageError */
async function findByReflection(
  name: string,
  globals: Globals,
  client: NodeRollcall,
  options: CallOptions,
): Promise<FoundMethod> {
  // Reflection is a stream in both directions.
  if (globals.http === "1.1") {
    const { message } = noSuchMethod();
    throw new UsageError(`${message}; HTTP/1.1 has no reflection to find others: use --descriptor`);
  }
  return findIn(await reflect(client, isKnownService, options), name, knownMethods);
}

/** Requests of a call, read from arguments and standard input as they are sent. */
class Requests {
  /** Fault of a message. No more are sent then. */
  fault: UsageError | undefined;
  readonly #method: DescMethod;
  readonly #registry: Registry;
  readonly #texts: readonly string[];
  readonly #io: Io;

  constructor(method: DescMethod, registry: Registry, texts: readonly string[], io: Io) {
    this.#method = method;
    this.#registry = registry;
    this.#texts = texts;
    this.#io = io;
    // Arguments can be checked before anything is sent.
    for (const text of texts) if (text !== STANDARD_INPUT) this.#parse(text, "the message");
  }

  async *all(): AsyncGenerator<Message> {
    try {
      for (const text of this.#texts) {
        if (text === STANDARD_INPUT) yield* this.#ofInput();
        else yield this.#parse(text, "the message");
      }
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      this.fault = error;
    }
  }

  /** @throws UsageError unless there is exactly one. */
  async single(): Promise<Message> {
    const messages = await Array.fromAsync(this.all());
    const [message] = messages;
    if (this.fault) throw this.fault;
    if (message && messages.length === 1) return message;
    throw new UsageError(
      `${this.#method.name} takes one message; standard input has ${messages.length} lines with one`,
    );
  }

  async *#ofInput(): AsyncGenerator<Message> {
    for await (const { number, text, problem } of linesOf(
      openInput(STANDARD_INPUT, this.#io, this.#io.signal),
      MESSAGE_LINE_LIMIT,
    )) {
      if (problem !== undefined) throw new UsageError(`line ${number} of the input ${problem}`);
      if (text.trim() !== "") yield this.#parse(text, `line ${number} of the input`);
    }
  }

  #parse(text: string, place: string): Message {
    const { input } = this.#method;
    try {
      return fromJsonString(input, text, { registry: this.#registry });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new UsageError(`${place} is not a ${input.typeName} in JSON: ${reason}`, { cause: error });
    }
  }
}
