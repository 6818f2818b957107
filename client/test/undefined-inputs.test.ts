import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";
import { type CallOptions, createRollcall as createBrowserRollcall, type Rollcall } from "../src/index.ts";
import { createRollcall } from "../src/node/index.ts";
import type { useUsers, useWatchUsers } from "../src/react.ts";

/** A value that may be missing, as `exactOptionalPropertyTypes` sees it. */
const maybe = undefined as string | undefined;

// The hooks need React and a page; here only their types are checked.
({ filter: maybe, orderBy: maybe, pageSize: undefined }) satisfies Parameters<typeof useUsers>[0];
({ filter: maybe }) satisfies Parameters<typeof useWatchUsers>[0];

const options: Required<CallOptions> = {
  timeoutMs: undefined,
  headers: undefined,
  signal: undefined,
  contextValues: undefined,
  onHeader: undefined,
  onTrailer: undefined,
};

test.each([
  ["a browser's client", createBrowserRollcall],
  ["Node's client", createRollcall],
])("%s takes undefined for fields and options that are left out", async (_name, create) => {
  await using server = await startServer();
  await using client: Rollcall = create({ baseUrl: server.url, token: await server.token() });
  const { users, streams } = client;
  const ada = await users.create({ email: "ada@example.com", name: "Ada", requestId: maybe }, options);
  expect(await users.get(ada.id, options)).toEqual(ada);
  expect(await users.batchGet([ada.id], options)).toEqual([ada]);
  const query = { filter: maybe, orderBy: maybe, pageSize: undefined, pageToken: maybe };
  expect((await users.list({ ...query, includeTotalSize: undefined }, options)).users).toEqual([ada]);
  expect(await Array.fromAsync(users.listAll({ filter: maybe, orderBy: maybe, pageSize: undefined }, options))).toEqual(
    [ada],
  );
  const changed = await users.update(ada.id, { email: maybe, name: "Ada L." }, { etag: maybe, ...options });
  expect(changed).toMatchObject({ email: "ada@example.com", name: "Ada L." });
  expect((await users.history(ada.id, { pageSize: undefined, pageToken: maybe }, options)).changes).toHaveLength(2);
  const from = { filter: maybe, includeExisting: true, resumeToken: maybe };
  const { timeoutMs: _, ...withoutDeadline } = options;
  const watchOptions = { onState: undefined, onRetry: undefined, retry: undefined, ...withoutDeadline };
  for await (const { type } of users.watch(from, watchOptions)) if (type === "synced") break;
  expect(await Array.fromAsync(streams.query("q", options))).toHaveLength(10);
  const uploadOptions = { onProgress: undefined, totalBytes: undefined, ...options };
  expect(await streams.upload(new Blob(["a"]), uploadOptions)).toMatchObject({ totalBytes: 1 });
  const chat = streams.chat(options);
  await chat.send("Hello");
  chat.end();
  expect(await Array.fromAsync(chat)).toEqual(["Echo: Hello"]);
  await users.delete(ada.id, { etag: maybe, ...options });
});

test("an upload of a file knows its size if the option is undefined", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "rollcall-undefined-"));
  const path = join(folder.path, "file");
  await writeFile(path, "abc");
  await using server = await startServer();
  await using client = createRollcall({ baseUrl: server.url, token: await server.token() });
  const seen: unknown[] = [];
  await client.streams.upload(path, { totalBytes: undefined, onProgress: (progress) => seen.push(progress) });
  expect(seen).toEqual([{ sentBytes: 3, totalBytes: 3 }]);
});
