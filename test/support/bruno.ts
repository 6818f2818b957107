import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import bruno from "@usebruno/lang";

/** Answer to a request of a collection, and the assertions that failed. */
export interface BrunoResult {
  readonly name: string;
  readonly status: number;
  readonly failures: readonly string[];
}

/**
 * Runs a collection of Bruno in its order. It supports what the collection uses: JSON requests, one token for all,
 * assertions with `eq`, and variables from answers. Bruno's own parser reads the files; its command line would bring
 * 500 packages.
 *
 * @throws Error for anything else.
 */
export async function runBruno(folder: string, values: Readonly<Record<string, string>>): Promise<BrunoResult[]> {
  const read = (name: string) => readFileSync(join(folder, name), "utf8");
  const environment = bruno.bruToEnvJsonV2(read("environments/Local.bru")).variables;
  const variables = new Map(environment.map(({ name, value }) => [name, values[name] ?? value]));
  const fill = (text: string) =>
    text.replace(/\{\{(\w+)\}\}/g, (_, name: string) => variables.get(name) ?? fail(`no variable ${name}`));
  const { token } = bruno.collectionBruToJson(read("collection.bru")).auth.bearer;
  const requests = globSync("*.bru", { cwd: folder })
    .filter((name) => name !== "collection.bru")
    .map((name) => bruno.bruToJsonV2(read(name)))
    .sort((a, b) => Number(a.meta.seq) - Number(b.meta.seq));
  const results: BrunoResult[] = [];
  for (const { meta, http, body, vars, assertions } of requests) {
    const json = body?.json;
    const response = await fetch(fill(http.url), {
      method: http.method.toUpperCase(),
      headers: {
        ...(http.auth === "inherit" && { authorization: `Bearer ${fill(token)}` }),
        ...(json !== undefined && { "content-type": "application/json" }),
      },
      ...(json !== undefined && { body: fill(json) }),
    });
    const answer = { res: { status: response.status, body: await response.json() } };
    for (const { name, value } of vars?.res ?? []) variables.set(name, String(valueAt(answer, value)));
    const failures = assertions.flatMap(({ name, value }) => {
      const [, expected] = /^eq (.*)$/.exec(value) ?? fail(`unknown assertion ${value}`);
      const actual = String(valueAt(answer, name));
      return actual === expected ? [] : [`${name} is ${actual}, not ${expected}`];
    });
    results.push({ name: meta.name, status: response.status, failures });
  }
  return results;
}

/** Returns the value at a path such as `res.body.user.id`. */
export function valueAt(value: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>((inner, name) => (inner as Record<string, unknown> | undefined)?.[name], value);
}

function fail(message: string): never {
  throw new Error(message);
}
