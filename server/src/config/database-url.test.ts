import { createReader } from "@rollcall/shared/settings/reader";
import { expect, test } from "vitest";
import { parseDatabaseUrl } from "./database-url.ts";

function parse(url: string) {
  const problems: string[] = [];
  const files = {
    rootDir: "/app",
    readFile() {
      throw Object.assign(new Error(), { code: "ENOENT" });
    },
  };
  return { database: parseDatabaseUrl(createReader({ DATABASE_URL: url }, problems), files, problems), problems };
}

test.each([
  ["", "/app/data/rollcall.db"],
  ["sqlite:data/x.db", "/app/data/x.db"],
  ["sqlite:./x.db", "/app/x.db"],
  ["sqlite:../x.db", "/x.db"],
  ["sqlite:/var/lib/x.db", "/var/lib/x.db"],
  ["sqlite:my data/x#1 (copy).db", "/app/my data/x#1 (copy).db"],
  ["sqlite:a~b$.db", "/app/a~b$.db"],
  ["sqlite::memory:", ":memory:"],
])("%j is the file %s", (url, path) => {
  expect(parse(url)).toEqual({ database: { kind: "sqlite", path }, problems: [] });
});

const form = "must be sqlite:<path>, such as sqlite:data/rollcall.db, sqlite::memory:, or postgres://<address>";
const slashes = (path: string) =>
  `takes no // before the path; write sqlite:${path}, or sqlite:/${path} if it starts at the root of the file system`;
const expansion = "~ and variables stand for nothing here; write the whole path";
const memory = "the database in memory is sqlite::memory:";
const parameters = "takes no parameters: leave out the ? and what follows";
const folder = "must name a file, such as sqlite:data/rollcall.db, not a folder";
const quotes = "the path begins behind sqlite:, without quotes or spaces";

test.each([
  ["sqlite://data/x.db", slashes("data/x.db")],
  ["sqlite:///data/x.db", slashes("data/x.db")],
  ["sqlite:////data/x.db", slashes("data/x.db")],
  ["sqlite://data/x.db?key=hunter2", slashes("data/rollcall.db")],
  ["sqlite://ada:hunter2@host/x.db", slashes("data/rollcall.db")],
  ["sqlite:data/x.db?mode=ro", parameters],
  ["sqlite:data/x.db?", parameters],
  ["sqlite::memory:?cache=shared", memory],
  ["sqlite:file:data/x.db", "the path begins behind sqlite:, without file:"],
  ["sqlite:file:data/x.db?mode=ro", "the path begins behind sqlite:, without file:"],
  ["sqlite://:memory:", memory],
  ["sqlite:memory", memory],
  ["sqlite:~/x.db", expansion],
  ["sqlite:~ada/x.db", expansion],
  ["sqlite:$HOME/x.db", expansion],
  ["sqlite:/data/\u0024{NAME}.db", expansion],
  ["sqlite:%USERPROFILE%/x.db", expansion],
  ["sqlite:my%20data/x.db", "the path stands as it is, without percent-encoding"],
  ['sqlite:"data/x.db"', quotes],
  ["sqlite: data/x.db", quotes],
  ["sqlite:data/", folder],
  ["sqlite:.", folder],
  ["sqlite:data/..", folder],
  ["sqlite:/", folder],
  ["sqlite:", form],
  ["sqlite", form],
  ["SQLITE:data/x.db", form],
  ["sqlite3:data/x.db", form],
  ["file:data/x.db", form],
  ["data/x.db", form],
  ["/var/lib/x.db", form],
  ["mysql://ada:hunter2@host/x", form],
])("%j is refused, with the form to write and nothing secret", (url, problem) => {
  expect(parse(url)).toMatchObject({ problems: [`DATABASE_URL: ${problem}`] });
  expect(problem).not.toContain("hunter2");
});

const address = { kind: "postgres", host: "host", port: 5432, user: "ada", password: "hunter2", database: "x" };
const remote = { ...address, applicationName: undefined, tls: { verify: "all" }, isPooled: false };
const local = { ...remote, host: "localhost", tls: false };

test.each([
  ["postgres://ada:hunter2@host/x", remote],
  ["postgresql://ada:hunter2@host:5433/x", { ...remote, port: 5433 }],
  ["postgres://a%40b:p%2Fw%25@host/x%20y", { ...remote, user: "a@b", password: "p/w%", database: "x y" }],
  ["postgres://ada@localhost/x", { ...local, password: undefined }],
  ["postgres://ada:hunter2@[::1]:1/x", { ...local, host: "::1", port: 1 }],
  ["postgres://ada:hunter2@/x?host=/run/postgresql", { ...local, host: "/run/postgresql" }],
  ["postgres://ada:hunter2@host/x?sslmode=disable", { ...remote, tls: false }],
  ["postgres://ada:hunter2@host/x?sslmode=require", { ...remote, tls: { verify: "nothing" } }],
  ["postgres://ada:hunter2@localhost/x?sslmode=verify-ca", { ...local, tls: { verify: "issuer" } }],
  [
    "postgres://ada:hunter2@host/x?pgbouncer=true&application_name=a",
    { ...remote, isPooled: true, applicationName: "a" },
  ],
])("%j is an address of PostgreSQL", (url, database) => {
  expect(parse(url)).toEqual({ database, problems: [] });
});

test.each([
  ["postgres:ada:hunter2@host/x", "must be postgres://user:password@host:5432/database"],
  ["postgres://ada:hunter2@host:port/x", "must be postgres://user:password@host:5432/database"],
  ["postgres://ada:hunt#er2@host/x", "must be postgres://"],
  ["postgres://ada:hunter2@host/x#y", "has a # in it"],
  ["postgres://ada:hunt?er2@host/x", "must be postgres://"],
  ["postgres://ada:5?hunter2@host/x", "takes the parameters"],
  ["postgres://ada:hunter2%@host/x", "has a % that is none of percent-encoding"],
  ["postgres://ada:hunter2@host", "must name a database"],
  ["postgres://ada:hunter2@host/", "must name a database"],
  ["postgres://ada:hunter2@host/x/y", "must name a database"],
  ["postgres://host/x", "must name a user"],
  ["postgres://ada:hunter2@/x", "must name a host"],
  ["postgres://ada:hunter2@one,two/x", "must name one host"],
  ["postgres://ada:hunter2@host/x?sslmode=prefer", "sslmode must be one of disable, require, verify-ca, verify-full"],
  ["postgres://ada:hunter2@host/x?sslrootcert=ca.pem", "sslrootcert: ca.pem does not exist"],
  ["postgres://ada:hunter2@host/x?sslmode=disable&sslrootcert=ca.pem", "sslrootcert has no use"],
  ["postgres://ada:hunter2@host/x?pgbouncer=1", "pgbouncer must be true or false"],
  ["postgres://ada:hunter2@host/x?statement_timeout=1", "takes the parameters"],
])("%j is refused in words, and without its password", (url, problem) => {
  const { problems } = parse(url);
  expect(problems).toEqual([expect.stringContaining(`DATABASE_URL: ${problem}`)]);
  expect(problems.join()).not.toMatch(/hunt|er2/);
});
