import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const root = import.meta.dirname;

/** What each room may import from: itself, the rooms and files named here, and packages not forbidden to it. */
const rooms: Record<string, { rooms: string[]; forbidden: RegExp }> = {
  runtime: { rooms: [], forbidden: /^(?!node:timers)/ },
  domain: { rooms: [], forbidden: /./ },
  repository: { rooms: ["runtime", "domain"], forbidden: /connect|fastify|@rollcall|protobuf/ },
  service: {
    rooms: ["domain", "repository/user-repository.ts"],
    forbidden: /connect|fastify|@rollcall|protobuf|sqlite/,
  },
  rpc: { rooms: ["runtime", "domain", "service"], forbidden: /fastify|sqlite|^node:(http|http2|https|net|tls)$/ },
  telemetry: {
    rooms: ["runtime", "domain", "rpc", "logger.ts"],
    forbidden: /fastify|sqlite|^node:(http|http2|https|net|tls)$/,
  },
  http: { rooms: ["runtime", "rpc"], forbidden: /sqlite/ },
  transport: { rooms: ["runtime", "domain", "rpc", "http"], forbidden: /sqlite|fastify/ },
  config: { rooms: [], forbidden: /connect|fastify|@rollcall\/(?!pem$)|protobuf|sqlite/ },
};

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .map((path) => join(folder, path));
}

function importsOf(file: string): string[] {
  const source = readFileSync(file, "utf8");
  return [...source.matchAll(/(?:from|import) "([^"]+)"/g)].map(([, name = ""]) => name);
}

/** All imports that the arrow forbids, as `file -> import`. */
function violations(room: string): string[] {
  const rule = rooms[room] ?? { rooms: [], forbidden: /./ };
  return filesOf(join(root, room)).flatMap((file) =>
    importsOf(file)
      .filter((name) => {
        if (!name.startsWith(".")) return rule.forbidden.test(name);
        const target = relative(root, resolve(dirname(file), name));
        return ![room, ...rule.rooms].some((allowed) => `${target}/`.startsWith(`${allowed}/`));
      })
      .map((name) => `${relative(root, file)} -> ${name}`),
  );
}

test.each(Object.keys(rooms))("%s imports only what the arrow allows", (room) => {
  expect(filesOf(join(root, room)).length).toBeGreaterThan(0);
  expect(violations(room)).toEqual([]);
});

test("main alone uses `process`", () => {
  const users = filesOf(root).filter((file) =>
    /\bprocess\.(env|exit|on|stdout|stderr|argv)\b/.test(readFileSync(file, "utf8")),
  );
  expect(users.map((file) => relative(root, file))).toEqual(["main.ts"]);
});
