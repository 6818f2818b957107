import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Code } from "@connectrpc/connect";
import { createRollcall as createCoreClient, ValidationError } from "@rollcall/client";
import { createRollcall } from "@rollcall/client/node";
import { childEnv } from "@rollcall/testing/child-env";
import { rollcall, rollcallMain } from "@rollcall/testing/run-rollcall";
import { startServer, until } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

const NOT_UTF8 = "is not UTF-8: convert it to UTF-8";

async function startWithFolder() {
  const server = await startServer();
  const folder = await mkdtempDisposable(join(tmpdir(), "rollcall-text-"));
  const token = await server.token();
  const client = createRollcall({ baseUrl: server.url, token });
  return {
    server,
    token,
    env: { ROLLCALL_ADDRESS: server.url, ROLLCALL_TOKEN: token },
    names: async () => (await Array.fromAsync(client.users.listAll())).map(({ name }) => name).sort(),
    async file(name: string, content: string | Buffer) {
      const path = join(folder.path, name);
      await writeFile(path, content);
      return path;
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      await folder.remove();
      await server[Symbol.asyncDispose]();
    },
  };
}

test("users import stores nothing of a line that is not UTF-8, in a file and from standard input", async () => {
  await using setup = await startWithFolder();
  const csv = (encoding: "latin1" | "utf8") =>
    Buffer.from("email,name\nrene@x.com,Ren\u00e9\nada@x.com,Ada\n", encoding);
  const refused = { code: 1, stdout: "1 user created, 0 skipped, 1 failed.\n", stderr: `line 2: ${NOT_UTF8}\n` };
  const path = await setup.file("users.csv", csv("latin1"));
  expect(await rollcall(["users", "import", path], setup)).toEqual(refused);
  const fromInput = ["users", "import", "-", "--format", "csv"];
  expect(await rollcall(fromInput, { ...setup, input: csv("latin1") })).toEqual(refused);
  expect(await setup.names()).toEqual(["Ada"]);
  // The control: another run with the corrected line adds only the missing user.
  expect(await rollcall(fromInput, { ...setup, input: csv("utf8") })).toMatchObject({ code: 0, stderr: "" });
  expect(await setup.names()).toEqual(["Ada", "Ren\u00e9"]);

  const objects = ["Bj\u00f6rn", "Cyd", "half \ud800"].map((name, index) =>
    JSON.stringify({ email: `u${index}@x.com`, name }),
  );
  const lines = await setup.file("users.jsonl", Buffer.from(objects.join("\n"), "latin1"));
  const { code, stderr } = await rollcall(["users", "import", lines], setup);
  expect({ code, lines: stderr.trim().split("\n").sort() }).toEqual({
    code: 1,
    lines: [
      "  name: must be Unicode: it has half of a surrogate pair",
      `line 1: ${NOT_UTF8}`,
      "line 3: invalid_argument: validation failed",
    ],
  });
  expect(await setup.names()).toEqual(["Ada", "Cyd", "Ren\u00e9"]);
});

test("a file that can't be read as a whole is wrong usage, in words, and nothing is stored", async () => {
  await using setup = await startWithFolder();
  const rows = "email,name\na@x.com,Ada\n";
  const files = [
    [
      "the file is UTF-16LE: convert it to UTF-8, as iconv -f UTF-16LE -t UTF-8 does",
      Buffer.from(`\uFEFF${rows}`, "utf16le"),
    ],
    [
      "the CSV file has semicolons between its fields: save it with commas, or as JSON Lines",
      rows.replaceAll(",", ";"),
    ],
    ["the CSV file has tabs between its fields: save it with commas, or as JSON Lines", rows.replaceAll(",", "\t")],
    ["the lines of the file end with CR alone: save it with LF or CR LF", rows.replaceAll("\n", "\r")],
    ["the first line of the CSV file names the column email twice", "email,name,Email\na@x.com,Ada,b@x.com\n"],
  ] as const;
  const results = files.map(async ([, content], index) => {
    const path = await setup.file(`users${index}.csv`, content);
    return rollcall(["users", "import", path], setup);
  });
  expect(await Promise.all(results)).toEqual(
    files.map(([problem]) => ({ code: 2, stdout: "", stderr: `rollcall: ${problem}\n` })),
  );
  expect(await rollcall(["users", "import", "-"], { ...setup, input: rows })).toMatchObject({
    code: 2,
    stderr: "rollcall: standard input needs --format csv or --format jsonl\n",
  });
  expect(await setup.names()).toEqual([]);
  // The control.
  const path = await setup.file("users.csv", `\uFEFF${rows}`);
  expect(await rollcall(["users", "import", path], setup)).toMatchObject({ code: 0 });
});

test("an import from standard input takes each line as it comes, and waits for no more after a fault or Ctrl-C", async () => {
  await using setup = await startWithFolder();
  const args = ["users", "import", "-", "--format", "jsonl"];
  const created = () => setup.server.log.some(({ method }) => String(method).endsWith("/CreateUser"));
  const interrupted = await rollcall(args, {
    ...setup,
    onStart(child) {
      child.stdin?.write('{"email":"ada@x.com","name":"Ada"}\n');
      void until(() => created()).then(() => child.kill("SIGINT"));
    },
  });
  expect(interrupted).toMatchObject({
    code: 130,
    stderr: expect.stringMatching(/^rollcall: canceled: (0 users|1 user) created/),
  });
  expect(await setup.names()).toEqual(["Ada"]);

  const token = await setup.server.token({ scopes: ["users:read"] });
  const refused = await rollcall([...args, "--token", token], {
    ...setup,
    onStart: (child) => child.stdin?.write('{"email":"bob@x.com","name":"Bob"}\n'),
  });
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("permission_denied: missing scope users:write"),
  });
});

test("chat sends no line that is not UTF-8, and shows the replies to those before", async () => {
  await using setup = await startWithFolder();
  const chat = (input: Buffer) => rollcall(["chat"], { ...setup, input });
  expect(await chat(Buffer.from("one\nRen\u00e9\nthree\n", "latin1"))).toEqual({
    code: 2,
    stdout: "Echo: one\n",
    stderr: `rollcall: line 2 of the input ${NOT_UTF8}\n`,
  });
  expect(await chat(Buffer.from("one\n", "utf16le"))).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining("line 1 of the input is UTF-16LE"),
  });
  expect(await chat(Buffer.from("\uFEFFone\nRen\u00e9\n"))).toEqual({
    code: 0,
    stdout: "Echo: one\nEcho: Ren\u00e9\n",
    stderr: "",
  });
});

test("an argument that is not UTF-8 is wrong usage", async () => {
  await using setup = await startWithFolder();
  const query = (bytes: string) => {
    const script = `"$0" "$1" query "$(printf '${bytes}')"; echo "code $?"`;
    return promisify(execFile)("sh", ["-c", script, process.execPath, rollcallMain], {
      env: { ...childEnv, ...setup.env },
    });
  };
  const [refused, taken] = await Promise.all([query("Ren\\351"), query("Ren\\303\\251")]);
  expect(refused.stdout).toBe("code 2\n");
  expect(refused.stderr).toMatch(/^rollcall: argument 2 has U\+FFFD, which stands for bytes that are not UTF-8/);
  // The control.
  expect(taken.stdout).toContain("Result 0 for query: Ren\u00e9\n");
});

test("upload takes standard input, byte for byte", async () => {
  await using setup = await startWithFolder();
  const input = randomBytes(300_000);
  const checksum = createHash("sha256").update(input).digest("hex");
  const result = await rollcall(["upload", "-"], { ...setup, input });
  expect(result).toEqual({ code: 0, stdout: `${checksum}  300000 bytes  -\n`, stderr: "" });
});

test("half of a surrogate pair is refused before it is sent, by every transport", async () => {
  await using setup = await startWithFolder();
  const { server, token } = setup;
  const address = server.url;
  await using grpc = createRollcall({ baseUrl: address, token });
  await using web = createRollcall({ baseUrl: address, token, protocol: "grpc-web" });
  await using connect = createRollcall({ baseUrl: address, token, protocol: "connect", httpVersion: "1.1" });
  await using core = createCoreClient({ baseUrl: address, token });
  for (const client of [grpc, web, connect, core]) {
    const wrong = client.users.create({ email: "a@x.com", name: "half \ud800" });
    await expect(wrong).rejects.toBeInstanceOf(ValidationError);
    await expect(wrong).rejects.toMatchObject({ code: Code.InvalidArgument, violations: [{ field: "name" }] });
    await expect(Array.fromAsync(client.streams.query("\udc00"))).rejects.toMatchObject({
      violations: [{ field: "query" }],
    });
    expect(await Array.fromAsync(client.streams.query("\u{1F600}"))).toHaveLength(10);
  }
  for (const client of [grpc, web, core]) {
    using chat = client.streams.chat();
    await chat.send("half \ud800");
    await expect(Array.fromAsync(chat)).rejects.toMatchObject({ violations: [{ field: "message" }] });
  }
  expect(await setup.names()).toEqual([]);
});
