import { toJson } from "@bufbuild/protobuf";
import { ServerStreamResponseSchema } from "@rollcall/gen/stream/v1/stream";
import { bytesText, startProgress } from "@rollcall/shared/progress";
import { linesOf, MESSAGE_LINE_LIMIT } from "@rollcall/shared/users-file/lines";
import type { Command } from "commander";
import { UsageError } from "../exit.ts";
import { type Globals, withClient } from "../globals.ts";
import { STANDARD_INPUT, sizeOfFile } from "../input.ts";
import type { Io } from "../io.ts";
import { printable } from "../output.ts";

export function addStreamCommands(program: Command, io: Io): void {
  program
    .command("query <text>")
    .description("send a query, and show its results as they come")
    .action(async (text: string, _options, command: Command) => {
      const globals = command.optsWithGlobals<Globals>();
      let count = 0;
      await withClient(
        globals,
        io,
        () => `canceled after ${count} results`,
        async ({ client, options }) => {
          for await (const result of client.streams.query(text, options)) {
            const json = () => JSON.stringify(toJson(ServerStreamResponseSchema, result, { alwaysEmitImplicit: true }));
            io.stdout.write(`${globals.json ? json() : printable(result.data)}\n`);
            count += 1;
          }
        },
      );
    });

  program
    .command("upload <file>")
    .description(
      "send a file, or standard input (-), and compare its SHA-256 with the server's; the server keeps nothing of it",
    )
    .action(async (file: string, _options, command: Command) => {
      const globals = command.optsWithGlobals<Globals>();
      const totalBytes = await sizeOfFile(file);
      let sent = 0;
      const total = totalBytes === undefined ? "" : ` of ${bytesText(totalBytes)}`;
      const whenInterrupted = () => `canceled after ${bytesText(sent)}${total}; the server has dropped what it got`;
      const receipt = await withClient(globals, io, whenInterrupted, async ({ client, options }) => {
        using progress = startProgress(io.stderr, totalBytes);
        return await client.streams.upload(file === STANDARD_INPUT ? io.stdin : file, {
          ...options,
          onProgress({ sentBytes }) {
            sent = sentBytes;
            progress.update(sentBytes);
          },
        });
      });
      io.stdout.write(
        globals.json ? `${JSON.stringify(receipt)}\n` : `${receipt.checksum}  ${receipt.totalBytes} bytes  ${file}\n`,
      );
    });

  program
    .command("chat")
    .description(
      "send each line of the input, in UTF-8, as a message and show the replies; ends with the input (Ctrl-D)",
    )
    .action(async (_options, command: Command) => {
      const globals = command.optsWithGlobals<Globals>();
      if (globals.http === "1.1") throw new UsageError("chat needs HTTP/2: it can't go with --http 1.1");
      let replies = 0;
      const whenInterrupted = () => `canceled after ${replies} replies`;
      await withClient(globals, io, whenInterrupted, async ({ client, options }) => {
        using chat = client.streams.chat(options);
        let fault: UsageError | undefined;
        const send = async () => {
          for await (const { number, text, problem } of linesOf(io.stdin, MESSAGE_LINE_LIMIT)) {
            if (problem !== undefined) {
              fault = new UsageError(`line ${number} of the input ${problem}`);
              break;
            }
            await chat.send(text);
          }
          chat.end();
        };
        // The replies report the error that ended the chat. Do not wait for the input, which may go on.
        send().catch(() => {});
        try {
          for await (const reply of chat) {
            replies += 1;
            io.stdout.write(`${globals.json ? JSON.stringify({ reply }) : printable(reply)}\n`);
          }
        } catch (error) {
          throw fault ?? error;
        }
        // The lines before it have been answered.
        if (fault) throw fault;
      });
    });
}
