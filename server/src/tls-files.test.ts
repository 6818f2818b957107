import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCertificateAuthority } from "@rollcall/testing/certificates";
import { afterAll, expect, test } from "vitest";
import { parseTlsSettings } from "./config.ts";
import { createLogger } from "./telemetry/logger.ts";
import { watchTlsFiles } from "./tls-files.ts";

const authority = await createCertificateAuthority("Test CA");
const [first, second, third] = await Promise.all(
  ["first", "second", "third"].map((commonName) => authority.issue({ commonName })),
);
const folder = mkdtempSync(join(tmpdir(), "rollcall-tls-files-"));
afterAll(() => rmSync(folder, { recursive: true }));

/**
 * Watches a folder that is laid out like a secret mounted by Kubernetes: the files are links into `..data`, and that is
 * a link that is swapped as a whole.
 */
function mountSecret(name: string) {
  const root = join(folder, name);
  mkdirSync(root);
  let version = 0;
  const publish = (cert = "", key = "") => {
    version += 1;
    mkdirSync(join(root, `..${version}`));
    writeFileSync(join(root, `..${version}/tls.crt`), cert);
    writeFileSync(join(root, `..${version}/tls.key`), key);
    symlinkSync(`..${version}`, join(root, "..next"));
    renameSync(join(root, "..next"), join(root, "..data"));
  };
  publish(first?.cert, first?.key);
  for (const file of ["tls.crt", "tls.key"]) symlinkSync(`..data/${file}`, join(root, file));
  return { root, publish };
}

function watch(root: string) {
  const log: Record<string, unknown>[] = [];
  const served: string[] = [];
  const env = { TLS_CERT_FILE: join(root, "tls.crt"), TLS_KEY_FILE: join(root, "tls.key") };
  const load = () => parseTlsSettings(env, { rootDir: root, readFile });
  const current = load();
  const files = watchTlsFiles({
    files: current.files,
    current,
    load,
    apply: ({ cert }) => served.push(cert.trim()),
    logger: createLogger("info", { write: (line) => log.push(JSON.parse(line)) }),
    intervalMs: 10,
  });
  return { files, log, served, [Symbol.dispose]: () => files.stop() };
}

const readFile = (path: string) => readFileSync(path, "utf8");

test("a secret that Kubernetes swaps is read again, once", async () => {
  const { root, publish } = mountSecret("swap");
  using watched = watch(root);
  publish(second?.cert, second?.key);
  await expect.poll(() => watched.served).toEqual([second?.cert]);
  publish(third?.cert, third?.key);
  await expect.poll(() => watched.served).toEqual([second?.cert, third?.cert]);
  expect(watched.log.map(({ level, msg }) => ({ level, msg }))).toEqual(
    Array(2).fill({ level: "info", msg: "certificates read again: new connections get them" }),
  );
});

test("a pair that does not fit is refused with the reason, and the next good one is read", async () => {
  const { root, publish } = mountSecret("mismatch");
  using watched = watch(root);
  publish(second?.cert, first?.key);
  const line = await expect
    .poll(() => watched.log[0])
    .toBeDefined()
    .then(() => watched.log[0]);
  expect(line).toMatchObject({
    level: "error",
    msg: "certificates not read again: the last good ones serve on",
    problems: [`TLS_KEY_FILE: ${join(root, "tls.key")} is not the key of the certificate in TLS_CERT_FILE`],
  });
  expect(watched.served).toEqual([]);
  publish(second?.cert, second?.key);
  await expect.poll(() => watched.served).toEqual([second?.cert]);
  expect(JSON.stringify(watched.log)).not.toContain("PRIVATE KEY");
});

test("files that are missing, empty or cut are refused, and a reload that is asked for reads them", async () => {
  const { root } = mountSecret("broken");
  using watched = watch(root);
  for (const break_ of [
    () => rmSync(join(root, "tls.key")),
    () => writeFileSync(join(root, "tls.key"), ""),
    () => writeFileSync(join(root, "tls.key"), first?.key.slice(0, 100) ?? ""),
  ]) {
    break_();
    watched.files.reload();
  }
  expect(watched.log.map(({ problems }) => problems)).toEqual([
    [expect.stringContaining("does not exist")],
    [expect.stringContaining("is empty")],
    [expect.stringContaining("has no END line")],
  ]);
  expect(watched.served).toEqual([]);
});
