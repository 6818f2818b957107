import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");

interface Rule {
  /** Rooms and files that it may import from, beside itself; from the repository's root. */
  readonly rooms: readonly string[];
  /** Packages that it must not import. */
  readonly forbidden: RegExp;
}

const server = (...rooms: string[]) => rooms.map((room) => `server/src/${room}`);
const SOCKETS = "^node:(?:http|http2|https|net|tls)$";
const COMMAND_LINE = "commander|cli-table3";

/** Import arrow: runtime <- limits, domain <- service <- rpc <- transport <- app <- main, and the other packages. */
const rules: Readonly<Record<string, Rule>> = {
  "server/src/runtime": { rooms: [], forbidden: /^(?!node:(?:timers|crypto|async_hooks$))/ },
  "server/src/limits.ts": { rooms: server("runtime"), forbidden: /^(?!node:net$|@rollcall\/shared\/)/ },
  "server/src/domain": { rooms: [], forbidden: /./ },
  "server/src/repository": {
    rooms: server("runtime", "limits.ts", "domain"),
    forbidden: /connect-|@connectrpc|fastify|@rollcall\/(?!shared\/)|protobuf/,
  },
  "server/src/service": {
    rooms: server("limits.ts", "domain", "repository/user-repository.ts", "repository/change-log.ts"),
    forbidden: /connect|fastify|@rollcall|protobuf|sqlite/,
  },
  "server/src/rpc": {
    rooms: server("runtime", "limits.ts", "domain", "service"),
    forbidden: new RegExp(`fastify|sqlite|${SOCKETS}|^@rollcall/(?!gen/|shared/)`),
  },
  "server/src/telemetry": {
    rooms: ["server/package.json"].concat(server("runtime", "limits.ts", "domain", "rpc")),
    forbidden: new RegExp(`fastify|sqlite|${SOCKETS}|^@rollcall/(?!shared/)`),
  },
  "server/src/reference": {
    rooms: ["server/package.json"].concat(server("rpc/auth/permissions.ts", "rpc/interceptors/validation.ts")),
    forbidden: /fastify|sqlite|^node:|^@rollcall\/(?!gen\/)/,
  },
  "server/src/transport": {
    rooms: server("runtime", "limits.ts", "domain", "rpc"),
    forbidden: /sqlite|^@rollcall\/(?!shared\/|pem$)/,
  },
  "server/src/config": {
    rooms: server("limits.ts", "rpc/auth/token-verifier.ts"),
    forbidden: /^(?!node:|@rollcall\/(?:pem$|shared\/))/,
  },
  "server/src/config.ts": {
    rooms: server("limits.ts", "config", "rpc/auth", "transport/port/addresses.ts"),
    forbidden: /^(?!node:|@rollcall\/shared\/)/,
  },
  "server/src/commands": {
    rooms: server("config.ts", "config", "limits.ts", "repository", "rpc/auth").concat(
      server("node-version.ts", "transport/port/certificate-dates.ts", "transport/port/listen-error.ts").concat(
        server("workers/reserve-port.ts"),
      ),
    ),
    forbidden: /^(?!node:|@rollcall\/(?:pem$|shared\/))/,
  },
  "server/src/workers": {
    rooms: server("transport/port/listen-error.ts", "telemetry/metrics"),
    forbidden: /^(?!node:|pino$)/,
  },
  "server/src/app-options.ts": {
    rooms: server("limits.ts", "repository", "service", "rpc", "telemetry", "transport"),
    forbidden: /^@rollcall\//,
  },
  "server/src/app.ts": {
    rooms: server("runtime", "limits.ts", "domain", "repository", "service", "rpc", "telemetry", "transport").concat(
      server("reference", "app-options.ts"),
    ),
    forbidden: /^@rollcall\//,
  },
  "server/src/testing": {
    rooms: server("app.ts", "app-options.ts", "rpc/auth", "telemetry/logger.ts"),
    forbidden: /^(?!node:crypto$|@rollcall\/shared\/)/,
  },
  "gen/src": { rooms: [], forbidden: /^(?!@bufbuild\/protobuf|#rules\/)/ },
  "pem/src": { rooms: [], forbidden: /^(?!node:(?:crypto|tls)$)/ },
  "shared/src": { rooms: [], forbidden: /^(?!@bufbuild\/(?:re2$|protobuf))/ },
  // Settings that the server and the command line share, and the signing of tokens. Both need Node.js.
  "shared/src/settings": { rooms: ["shared/src"], forbidden: /^(?!node:(?:crypto|fs|path)$|jose$)/ },
  "client/src": {
    rooms: [],
    forbidden: new RegExp(`^node[:/]|connect-node|@rollcall/(?:server|cli|web|shared/settings)|${COMMAND_LINE}`),
  },
  "client/src/node": {
    rooms: ["client/src"],
    forbidden: new RegExp(`@rollcall/(?:server|cli|web|shared/settings)|${COMMAND_LINE}`),
  },
  "cli/src": {
    rooms: ["cli/package.json"],
    forbidden: /^@rollcall\/(?!client|gen|shared)|fastify|^ws$/,
  },
  "web/src": { rooms: [], forbidden: /^node:|connect-node|@rollcall\/(?!client$|gen\/|shared\/(?!settings\/))/ },
  "testing/src": { rooms: [], forbidden: /^@rollcall\/(?!client|server|cli|gen)/ },
  // Contestants of the benchmarks build the server from its files, as its `main.ts` does.
  bench: { rooms: ["server/src"], forbidden: /^@rollcall\/(?:web|cli)(?:$|\/)/ },
};

interface SourceFile {
  /** Path from the repository's root. */
  readonly path: string;
  readonly text: string;
}

/** Returns the files of a room, without tests and without nested rooms. A room can be a single file. */
function filesOf(room: string): SourceFile[] {
  if (room.endsWith(".ts")) return [{ path: room, text: readFileSync(join(root, room), "utf8") }];
  const inner = Object.keys(rules).filter((other) => other.startsWith(`${room}/`));
  return readdirSync(join(root, room), { recursive: true, encoding: "utf8" })
    .filter((path) => /\.tsx?$/.test(path) && !/\.test\.tsx?$|(?:^|\/)node_modules\//.test(path))
    .map((path) => join(room, path))
    .filter((path) => !inner.some((other) => path.startsWith(`${other}/`)))
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

/** Returns the imports of a file, as they are written there. */
function importsOf({ text }: SourceFile): string[] {
  return [...text.matchAll(/(?:from |import |import\()"([^"]+)"/g)].map(([, name = ""]) => name);
}

/** Returns all imports that a rule forbids, as `file -> import`. */
function violations(room: string, { rooms, forbidden }: Rule, files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    importsOf(file)
      .filter((name) => {
        if (!name.startsWith(".")) return forbidden.test(name);
        const target = join(dirname(file.path), name);
        return ![room, ...rooms].some((allowed) => `${target}/`.startsWith(`${allowed}/`));
      })
      .map((name) => `${file.path} -> ${name}`),
  );
}

test.each(Object.entries(rules))("%s imports only what the arrow allows", (room, rule) => {
  const files = filesOf(room);
  expect(files.length).toBeGreaterThan(0);
  expect(violations(room, rule, files)).toEqual([]);
});

test.each(Object.entries(rules))("in %s, imports that the arrow forbids are seen", (room, rule) => {
  const path = room.endsWith(".ts") ? room : `${room}/x.ts`;
  const main = relative(dirname(path), room === "bench" ? "cli/src/main.ts" : "server/src/main.ts");
  const wrong = [main.startsWith(".") ? main : `./${main}`, "@rollcall/web"];
  const [relativeImport, packageImport] = wrong;
  const text = `import { x } from "${relativeImport}";\nawait import("${packageImport}");\nimport "./x.ts";\n`;
  const seen = violations(room, rule, [{ path, text }]).filter((line) => !line.endsWith("./x.ts"));
  expect(seen).toEqual(wrong.map((name) => `${path} -> ${name}`));
});

/** Returns the packages that a file of the server imports, directly or through other files, without type imports. */
function packagesFrom(path: string, importPattern: RegExp, seen = new Set<string>()): Set<string> {
  const packages = new Set<string>();
  if (seen.has(path)) return packages;
  seen.add(path);
  const code = readFileSync(join(root, path), "utf8").replaceAll(/^(?:im|ex)port type [^;]*;/gm, "");
  for (const [, name = ""] of code.matchAll(importPattern)) {
    if (!name.startsWith(".")) packages.add(name);
    else for (const each of packagesFrom(join(dirname(path), name), importPattern, seen)) packages.add(each);
  }
  return packages;
}

test("nothing of OpenTelemetry is loaded before traces are to be exported", () => {
  const openTelemetry = (pattern: RegExp) =>
    [...packagesFrom("server/src/main.ts", pattern)].filter((name) => name.startsWith("@opentelemetry/"));
  expect(openTelemetry(/(?:from |^import )"([^"]+)"/gm)).toEqual([]);
  // The control: dynamic imports do load it.
  expect(openTelemetry(/(?:from |^import |import\()"([^"]+)"/gm)).toContain("@opentelemetry/sdk-trace");
});

/** Returns relative imports that lead out of a package, in tests too: other packages are imported by name. */
function strays(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const [folder] = file.path.split("/");
    return importsOf(file)
      .filter((name) => name.startsWith(".") && !join(dirname(file.path), name).startsWith(`${folder}/`))
      .map((name) => `${file.path} -> ${name}`);
  });
}

test("no relative import leads out of its package", () => {
  const packages = readdirSync(root).filter((name) => existsSync(join(root, name, "package.json")));
  const exclude = (path: string) => /(?:^|\/)(?:node_modules|dist|contestants)$/.test(path);
  const files = packages
    .flatMap((name) => globSync(`${name}/**/*.{ts,tsx}`, { cwd: root, exclude }))
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
  expect(files.length).toBeGreaterThan(400);
  expect(strays(files)).toEqual([]);
  // The control.
  const path = "server/test/x/y.test.ts";
  const text = 'import a from "../../src/a.ts";\nimport b from "../../../client/src/b.ts";\n';
  expect(strays([{ path, text }])).toEqual([`${path} -> ../../../client/src/b.ts`]);
});

test.each([
  ["server/src", ["bin.ts", "main.ts"]],
  ["cli/src", ["bin.ts", "main.ts"]],
])("in %s, %s alone use `process`", (folder, expected) => {
  const users = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .filter((path) =>
      /\bprocess\.(env|exit|exitCode|on|stdin|stdout|stderr|argv)\b/.test(
        readFileSync(join(root, folder, path), "utf8"),
      ),
    );
  expect(users.map((path) => relative(".", path))).toEqual(expected);
});
