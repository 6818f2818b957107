import { chmod, copyFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "vite";
import rootPackage from "../../package.json" with { type: "json" };
import { buildWeb } from "../web-build.ts";
import { licenceTexts } from "./licences.ts";
import { createSbom } from "./sbom.ts";
import { collectPackages, type ShippedPackage } from "./shipped-packages.ts";

const root = join(import.meta.dirname, "../..");
const NAME = "rollcall-server";

/**
 * Builds the release into a folder, which is emptied first:
 *
 * - `rollcall-server`: the program, which checks Node.js and starts the server
 * - `server/dist`: the server with all its dependencies; `web/dist`: the web app
 * - `sbom.cdx.json`, `THIRD-PARTY-LICENSES.txt`: what of others is in it
 *
 * @returns The packages of others that are in it.
 * @throws Error for a package whose licence is not one of those that may be shipped.
 */
export async function buildRelease(folder: string): Promise<{ packages: ShippedPackage[] }> {
  const collected = collectPackages();
  await rm(folder, { recursive: true, force: true });
  await buildWeb({ outDir: join(folder, "web/dist"), plugins: [collected.plugin] });
  await build({
    root: join(root, "server"),
    configFile: false,
    logLevel: "warn",
    plugins: [collected.plugin],
    ssr: { noExternal: true, target: "node" },
    build: {
      ssr: "src/main.ts",
      outDir: join(folder, "server/dist"),
      emptyOutDir: true,
      target: "node26",
      sourcemap: true,
      rolldownOptions: { output: { entryFileNames: "server.mjs", chunkFileNames: "[name]-[hash].mjs" } },
    },
  });
  const packages = collected.packages();
  const { version, license, description } = rootPackage;
  const manifest = { name: NAME, version, description, license, private: true, bin: { [NAME]: NAME } };
  const json = (value: unknown) => `${JSON.stringify(value, undefined, 2)}\n`;
  // It has no type, so that an older Node.js can run the program that names the needed version.
  await writeFile(join(folder, "package.json"), json(manifest));
  await writeFile(join(folder, "sbom.cdx.json"), json(createSbom({ name: NAME, version, license }, packages)));
  await writeFile(join(folder, "THIRD-PARTY-LICENSES.txt"), licenceTexts(packages));
  await copyFile(join(root, "LICENSE"), join(folder, "LICENSE"));
  await copyFile(join(import.meta.dirname, "launcher.cjs"), join(folder, NAME));
  await chmod(join(folder, NAME), 0o755);
  return { packages };
}
