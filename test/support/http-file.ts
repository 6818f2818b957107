import { randomUUID } from "node:crypto";
import { valueAt } from "./bruno.ts";

export interface HttpResult {
  /** Words after `###`. */
  readonly title: string;
  readonly status: number;
  readonly body: unknown;
}

/**
 * Runs the requests of a `.http` file one after the other. It knows REST Client's syntax: `@name = value`, `# @name`,
 * `{{variable}}`, `{{$processEnv NAME}}`, `{{$guid}}` and `{{name.response.body.$.path}}`.
 *
 * @param values Values that replace those of the file's variables.
 * @throws Error for an unknown variable.
 */
export async function runHttpFile(
  text: string,
  values: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>>,
): Promise<HttpResult[]> {
  const [head = "", ...sections] = text.split(/^###\s*/m);
  const variables = new Map([...head.matchAll(/^@(\w+) = (.*)$/gm)].map(([, name = "", value = ""]) => [name, value]));
  for (const [name, value] of Object.entries(values)) variables.set(name, value);
  const answers = new Map<string, unknown>();
  const fill = (part: string): string =>
    part.replace(/\{\{([^}]+)\}\}/g, (_, expression: string) => {
      const [, name = "", path] = /^(\w+)\.response\.body\.\$\.(.+)$/.exec(expression) ?? [];
      const [, variable = ""] = /^\$processEnv (\w+)$/.exec(expression) ?? [];
      if (expression === "$guid") return randomUUID();
      const value =
        path === undefined ? (env[variable] ?? variables.get(expression)) : valueAt(answers.get(name), path);
      if (value === undefined) throw new Error(`no value for ${expression}`);
      return fill(String(value));
    });
  const results: HttpResult[] = [];
  for (const section of sections) {
    const [title = "", ...lines] = section.split("\n");
    const [, name] = /^# @name (\w+)$/m.exec(section) ?? [];
    const [requestText = "", body = ""] = lines
      .filter((line) => !line.startsWith("#"))
      .join("\n")
      .split(/\n\n(.*)/s);
    const [requestLine = "", ...headerLines] = requestText.trim().split("\n");
    const [method = "", url = ""] = requestLine.split(" ");
    const headers = headerLines.map((line): [string, string] => {
      const [header = "", ...value] = line.split(": ");
      return [header, fill(value.join(": "))];
    });
    const response = await fetch(fill(url), { method, headers, ...(body.trim() && { body: fill(body) }) });
    const answer: unknown = await response.json();
    if (name !== undefined) answers.set(name, answer);
    results.push({ title, status: response.status, body: answer });
  }
  return results;
}
