import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "@rollcall/testing/root";
import { run } from "@rollcall/testing/run-program";
import { rollcall } from "@rollcall/testing/run-rollcall";
import { startProcess } from "@rollcall/testing/start-process";
import { expect, test } from "vitest";

test("dev:cert makes a client that TLS_CLIENT_SCOPES can name, and says how", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "rollcall-cert-"));
  const made = await run(process.execPath, [join(root, "scripts/dev-cert.ts"), folder.path]);
  expect(made).toMatchObject({ code: 0, stderr: "" });
  const [, scopes = ""] = /TLS_CLIENT_SCOPES="(.+)"/.exec(made.stdout) ?? [];
  const file = (name: string) => join(folder.path, name);
  await using server = await startProcess({
    env: {
      TLS_CERT_FILE: file("server.pem"),
      TLS_KEY_FILE: file("server-key.pem"),
      TLS_CLIENT_CA_FILE: file("ca.pem"),
      TLS_CLIENT_SCOPES: scopes,
    },
  });
  const globals = ["--address", server.url, "--ca", file("ca.pem")];
  const asClient = [...globals, "--cert", file("client.pem"), "--key", file("client-key.pem")];
  const create = ["users", "create", "--email", "ada@example.com", "--name", "Ada"];
  expect(await rollcall([...create, ...asClient])).toMatchObject({ code: 0, stderr: "" });
  expect(await rollcall(["query", "x", ...asClient])).toMatchObject({ code: 0, stderr: "" });
  // Control.
  expect(await rollcall(["users", "list", ...globals])).toMatchObject({ code: 1 });
});
