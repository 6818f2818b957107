import { readFileSync } from "node:fs";
import { mkdtempDisposable, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { run } from "@rollcall/testing/run-program";
import { startProcess } from "@rollcall/testing/start-process";
import { Ajv } from "ajv";
import formats from "ajv-formats";
import { afterAll, expect, test } from "vitest";
import packageJson from "../package.json" with { type: "json" };
import { buildRelease } from "../scripts/release/build-release.ts";

// Outside the repository: the release must not find the packages there.
const parent = await mkdtempDisposable(join(tmpdir(), "rollcall-release-"));
afterAll(() => parent.remove());
const release = join(parent.path, "rollcall-server");
const program = join(release, "rollcall-server");
const { packages } = await buildRelease(release);

/** Runs the release as its users do, with nothing in the environment but a PATH to Node.js. */
const rollcallServer = (args: readonly string[], env: Record<string, string> = {}) =>
  run(program, args, { cwd: parent.path, env: { PATH: dirname(process.execPath), ...env } });

test("the release is one folder, with what is in it and its licences", async () => {
  const names = ["LICENSE", "THIRD-PARTY-LICENSES.txt", "package.json", "rollcall-server", "sbom.cdx.json"];
  expect((await readdir(release)).sort()).toEqual([...names, "server", "web"].sort());
  const licences = await readFile(join(release, "THIRD-PARTY-LICENSES.txt"), "utf8");
  const rule = "=".repeat(80);
  const parts = licences.split(`${rule}\n\n`).slice(1);
  expect(parts).toHaveLength(2 * packages.length);
  for (const [i, { name, version, licence }] of packages.entries()) {
    expect(parts[2 * i]).toBe(`${name} ${version}: ${licence}\n\n`);
    expect(parts[2 * i + 1]?.trim().length, name).toBeGreaterThan(50);
  }
  // Licences come from a README, from a package without a licence text, and from a file inside a package.
  for (const holder of ["Brian M. Carlson", "James Sumners <", "2008 Google Inc."]) expect(licences).toContain(holder);
  const shipped = packages.map(({ name }) => name);
  for (const name of ["fastify", "@bufbuild/protobuf", "react"]) expect(shipped).toContain(name);
  for (const name of ["vitest", "vite", "typescript", "commander"]) expect(shipped).not.toContain(name);
});

test("its list of packages is valid CycloneDX", async () => {
  const schemas = join(
    dirname(createRequire(import.meta.url).resolve("@cyclonedx/cyclonedx-library/package.json")),
    "res/schema",
  );
  const read = (name: string) => JSON.parse(readFileSync(join(schemas, `${name}.SNAPSHOT.schema.json`), "utf8"));
  const ajv = new Ajv({ strict: false, validateFormats: true });
  formats.default(ajv, ["date-time", "email", "uri", "uri-reference", "uuid"]);
  ajv.addFormat("iri-reference", true).addFormat("idn-email", true);
  for (const name of ["spdx", "jsf-0.82"])
    ajv.addSchema(read(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  const validate = ajv.compile(read("bom-1.6"));
  const sbom = JSON.parse(await readFile(join(release, "sbom.cdx.json"), "utf8"));
  validate(sbom);
  expect(validate.errors).toBeNull();
  // The control: the schema refuses a wrong document.
  expect(validate({ ...sbom, components: [{ type: "library" }] })).toBe(false);
  expect(sbom.components).toHaveLength(packages.length);
});

test("it serves, checks, mints and backs up with nothing but Node.js", async () => {
  await using server = await startProcess({
    program,
    env: { NODE_COMPILE_CACHE: "", RPC_ENGINE: "" },
    folder: parent.path,
  });
  const { port } = new URL(server.url);
  const env = { PORT: port, DATABASE_URL: `sqlite:${join(parent.path, "users.db")}` };
  expect(await (await fetch(server.url)).text()).toContain("<title>");
  expect(await (await fetch(`${server.url}/docs`)).text()).toContain("<h3>GetUser</h3>");
  expect(await rollcallServer(["healthcheck"], env)).toMatchObject({ code: 0, stderr: "" });
  expect(await rollcallServer(["doctor"], env)).toMatchObject({ code: 0, stderr: "" });
  const minted = await rollcallServer(["token", "mint", "--sub", "ada", "--scope", "users:read"], env);
  const response = await fetch(`${server.url}/user.v1.UserService/ListUsers`, {
    method: "POST",
    headers: { authorization: `Bearer ${minted.stdout.trim()}`, "content-type": "application/json" },
    body: "{}",
  });
  expect(response.status).toBe(200);
  const backup = await rollcallServer(["backup", "users-backup.db"], env);
  expect(backup).toMatchObject({ code: 0, stderr: "" });
  server.process.kill("SIGTERM");
  expect(await server.exited).toBe(0);
});

test("a broken .env beside it stops what reads settings, and no help", async () => {
  const envFile = join(release, ".env");
  await writeFile(envFile, "PORT 8080\n");
  try {
    expect(await rollcallServer(["--help"])).toMatchObject({ code: 0, stderr: "" });
    expect(await rollcallServer(["--version"])).toEqual({ code: 0, stdout: `${packageJson.version}\n`, stderr: "" });
    const refused = { code: 2, stdout: "", stderr: expect.stringContaining(".env line 1: is no assignment") };
    expect(await rollcallServer(["check-config"])).toEqual(refused);
    expect(await rollcallServer([])).toEqual(refused);
  } finally {
    await rm(envFile);
  }
});
