import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { root } from "./root.ts";
import { packFolder } from "./tar.ts";

export interface PackageRegistry extends AsyncDisposable {
  readonly url: string;
}

/**
 * Starts a registry on loopback with the packages that are installed in this repository. npm can install them from it
 * without a network.
 */
export async function startPackageRegistry(): Promise<PackageRegistry> {
  const folders = findFolders();
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? "").slice(1);
    const [name = "", version] = path.split("/-/");
    const versions = folders.get(name);
    if (!versions) return response.writeHead(404).end("{}");
    if (version !== undefined) {
      const folder = versions.get(version);
      return folder === undefined ? response.writeHead(404).end() : response.end(packFolder(folder));
    }
    const url = `http://${request.headers.host}/${encodeURIComponent(name)}/-/`;
    const manifests = [...versions].map(([each, folder]) => {
      const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      return [each, { ...manifest, dist: { tarball: url + each } }];
    });
    const latest = manifests.at(-1)?.[0];
    return response.end(JSON.stringify({ name, "dist-tags": { latest }, versions: Object.fromEntries(manifests) }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Returns the folders of pnpm's installed packages by name and version, in the order of their versions. */
function findFolders(): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const store = join(root, "node_modules/.pnpm");
  const folders = new Map<string, Map<string, string>>();
  const entries = readdirSync(store).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  for (const entry of entries) {
    // The form is `@scope+name@1.2.3_peers`.
    const [, name, version] = /^(@?[^@]+)@([^_(]+)/.exec(entry) ?? [];
    if (name === undefined || version === undefined) continue;
    const path = name.replace("+", "/");
    const versions = folders.get(path) ?? new Map<string, string>();
    folders.set(path, versions.set(version, join(store, entry, "node_modules", path)));
  }
  return folders;
}
