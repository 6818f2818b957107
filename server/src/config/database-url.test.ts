import { expect, test } from "vitest";
import { parseDatabaseUrl } from "./database-url.ts";
import { createReader } from "./reader.ts";

function parse(url: string) {
  const problems: string[] = [];
  return { path: parseDatabaseUrl(createReader({ DATABASE_URL: url }, problems), "/app", problems), problems };
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
  expect(parse(url)).toEqual({ path, problems: [] });
});

const form = "must be sqlite:<path>, such as sqlite:data/rollcall.db, or sqlite::memory:";
const slashes = (path: string) =>
  `takes no // before the path; write sqlite:${path}, or sqlite:/${path} if it starts at the root of the file system`;
const expansion = "~ and variables stand for nothing here; write the whole path";
const memory = "the database in memory is sqlite::memory:";
const parameters = "takes no parameters: leave out the ? and what follows";
const folder = "must name a file, such as sqlite:data/rollcall.db, not a folder";
const postgres = "PostgreSQL is not supported by this version; use sqlite:<path>";
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
  ["postgres://ada:hunter2@host/x", postgres],
  ["postgresql://ada:hunter2@host/x", postgres],
])("%j is refused, with the form to write and nothing secret", (url, problem) => {
  expect(parse(url)).toEqual({ path: "", problems: [`DATABASE_URL: ${problem}`] });
  expect(problem).not.toContain("hunter2");
});
