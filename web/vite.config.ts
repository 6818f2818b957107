import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { getOption } from "@bufbuild/protobuf";
import { auth } from "@rollcall/gen/rollcall/options/v1/auth";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";
import { slimContracts } from "./slim-contracts.ts";
import { slimDescriptor } from "./slim-descriptor.ts";

const root = join(import.meta.dirname, "..");
const { HOST = "", PORT = "8080", TLS_CERT_FILE, TLS_KEY_FILE } = process.env;
/** TLS of the page, if the server has TLS: such a server accepts no WebSocket from a page without TLS. */
const https =
  TLS_CERT_FILE && TLS_KEY_FILE
    ? { cert: readFileSync(resolve(root, TLS_CERT_FILE)), key: readFileSync(resolve(root, TLS_KEY_FILE)) }
    : undefined;
/** Host of the server. If it listens on all addresses, `localhost` is one of them. */
const host = ["", "0.0.0.0", "::"].includes(HOST) ? "localhost" : HOST;
/** Server of `pnpm dev`. Its certificate is not checked. */
const server = {
  target: `${https ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${PORT}`,
  secure: false,
};

/**
 * Modules of libraries that this app replaces by smaller ones, as `[import, importer, file in src/api]`:
 * - messages in JSON, which transports use only with `useBinaryFormat: false`;
 * - code for connections of streams: Connect has it in one module with a function of one line that each client needs,
 *   and a module is never divided between two files;
 * - protobuf's own contract, of which they need one number;
 * - interceptors for options that this app's client does not use, the checks of its options and of its server's
 *   address, what closes it, the limit of answers, which come from the page's own server, and a way for long reads.
 */
const LESS: readonly (readonly [source: RegExp, importer: RegExp, file: string])[] = [
  [
    /^@bufbuild\/protobuf$/,
    /(?:connect\/dist\/esm\/protocol\/serialization|connect-web\/dist\/esm\/connect-transport)\.js$/,
    "binary-only.ts",
  ],
  [/\/protocol\/async-iterable\.js$/, /\/promise-client\.js$/, "async-iterable.ts"],
  [
    /\/(?:interceptors\/(?:auth|logging|tracing)|internal\/token-source)\.ts$/,
    /\/client\/src\/options\.ts$/,
    "no-interceptors.ts",
  ],
  [
    /^@bufbuild\/protobuf\/wkt$/,
    /(?:connect-web\/dist\/esm\/connect-transport\.js|client\/src\/interceptors\/retry\.ts)$/,
    "idempotency.ts",
  ],
  [/\/internal\/server-address\.ts$/, /\/client\/src\/transports\/fetch\.ts$/, "own-address.ts"],
  [
    /\/internal\/check-options\.ts$/,
    /\/client\/src\/(?:transports\/fetch|options|retry\/policy)\.ts$/,
    "own-options.ts",
  ],
  [/\/transports\/closable\.ts$/, /\/client\/src\/create-rollcall\.ts$/, "never-closed.ts"],
  [/\/(?:bounded-fetch|long-reads)\.ts$/, /\/client\/src\/transports\/fetch\.ts$/, "own-answers.ts"],
];

const leaveOut: Plugin = {
  name: "leave-out",
  enforce: "pre",
  apply: "build",
  resolveId(source, importer = "") {
    const found = LESS.find(([sources, importers]) => sources.test(source) && importers.test(importer));
    return found ? join(import.meta.dirname, "src/api", found[2]) : null;
  },
};

/** Scopes of the methods that the app checks before it calls them, by their options in the contract. */
const methodScopes = Object.fromEntries(
  [UserService, StreamService].flatMap(({ typeName, methods }) =>
    methods.flatMap((method) => {
      const { caller } = getOption(method, auth);
      return caller.case === "scope" ? [[`${typeName}/${method.name}`, caller.value]] : [];
    }),
  ),
);

/**
 * Modules of the client, its dependencies, and the parts of this app around it. The page to sign in needs none of them.
 */
const CLIENT =
  /[\\/](?:@bufbuild(?!.*(?:descriptor_pb|codegenv2.(?:boot|file)))|@connectrpc|client[\\/]src|gen|shared[\\/]src[\\/](?!jwt|max-timer)|web[\\/]src[\\/](?:api|ui[\\/]copy|session[\\/](?:authenticate|permits)))/;

export default defineConfig({
  root: import.meta.dirname,
  define: { METHOD_SCOPES: JSON.stringify(methodScopes) },
  // Relative, so that the app works below any path that a proxy adds.
  base: "./",
  plugins: [react(), leaveOut, slimContracts(), slimDescriptor()],
  // The router imports a shim for versions of React without this hook.
  resolve: { alias: { "use-sync-external-store/shim/index.js": "react" } },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    // The page's policy allows no data: URLs.
    assetsInlineLimit: 0,
    // Every browser that knows the style's light-dark() preloads modules by itself.
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        codeSplitting: {
          // The parts that all pages need are one file. It is smaller than the many files that bundling by need would
          // make.
          groups: [{ name: "client", test: CLIENT, minShareCount: 5, includeDependenciesRecursively: false }],
        },
      },
    },
  },
  server: {
    ...(https && { https }),
    proxy: {
      // Paths of methods: a package, whose name contains a dot, and the method. The WebSockets of streams have the same
      // paths.
      "^/[\\w.]+\\.v\\d+\\.\\w+/\\w+(?:\\?|$)": { ...server, ws: true },
      "^/(?:app-config\\.json|descriptors\\.binpb|openapi\\.json|docs|docs\\.css|llms\\.txt)$": server,
      "/healthz": server,
      "/readyz": server,
    },
  },
});
