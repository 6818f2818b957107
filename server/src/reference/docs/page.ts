import type { OpenApiDocument, Operation, PathItem, Response } from "../openapi/document.ts";
import { nameOfRef, type Schema } from "../openapi/schema.ts";
import { commandFor } from "./example.ts";
import { type Html, type HtmlValue, html, inline, join, prose } from "./html.ts";
import { ruleWords, typeWords } from "./schema-words.ts";

/**
 * Renders an OpenAPI document of this server as a page without scripts. It names other files relative to itself.
 * @param hasApp Whether the server serves the web app beside it.
 */
export function renderDocs(document: OpenApiDocument, hasApp: boolean): string {
  const { info, tags, paths, components } = document;
  const types = innerTypes(components.schemas);
  const entries = Object.entries(paths);
  const ofTag = (tag: string) => entries.filter(([, { post }]) => post.tags.includes(tag));
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${info.title} API</title>
<link rel="stylesheet" href="./docs.css">
<link rel="icon" href="./icon.svg">
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header>
<h1>${info.title} API</h1>
<p>${hasApp ? html`<a href="./">Back to the app</a> ` : ""}<a href="./openapi.json">OpenAPI</a> <a href="./llms.txt">Short guide</a></p>
</header>
<nav aria-label="Contents">
<ul>
<li><a href="#call">How to call</a></li>
${tags.map(
  ({ name }) => html`<li><a href="#${name}">${breakable(name)}</a>
<ul>${ofTag(name).map(([path, { post }]) => html`<li><a href="#${idOf(path)}">${post.summary}</a></li>`)}</ul></li>
`,
)}<li><a href="#errors">Errors</a></li>
<li><a href="#types">Types</a></li>
</ul>
</nav>
<main id="content">
<section id="call">
<h2>How to call</h2>
${prose(info.description)}
<p>The commands below take the server's address and a token from the environment:</p>
${code("export URL=…     # the address of this page, without /docs\nexport TOKEN=…   # a token with the scopes of the method")}
</section>
${tags.map(
  ({ name, description }) => html`<section id="${name}">
<h2>${breakable(name)}</h2>
${prose(description)}
${ofTag(name).map(([path, item]) => methodSection(path, item, document))}
</section>
`,
)}
<section id="errors">
<h2>Errors</h2>
<p>A call that fails answers with the status of its code, and this as JSON. A stream answers 200, and has it in its last part.</p>
${fields(components.schemas["connect.Error"] ?? {})}
${errorTable(components.responses)}
</section>
<section id="types">
<h2>Types</h2>
${types.map((name) => typeSection(name, components.schemas[name] ?? {}))}
</section>
</main>
</body>
</html>
`;
  return page.text;
}

function methodSection(path: string, { get, post }: PathItem, document: OpenApiDocument): Html {
  const { schemas } = document.components;
  const [[type = "", body] = []] = Object.entries(post.requestBody?.content ?? {});
  const isStream = type !== "application/json";
  const answer = post.responses[200] as Response;
  const [answered] = Object.values(answer.content ?? {});
  const output = answered?.schema.anyOf?.[0] ?? answered?.schema;
  return html`<article id="${idOf(path)}">
<h3>${post.summary}${post.deprecated ? html` <span class="tag">deprecated</span>` : ""}</h3>
<p class="path"><span class="verbs">${get ? "GET, POST" : "POST"}</span> <code>${path}</code></p>
<p class="access">${accessWords(post)}${isStream ? html` <span class="tag">stream</span>` : ""}</p>
${prose(post.description)}
<h4>Request${isStream ? html` <code>${type}</code>` : ""}</h4>
${isStream ? prose(post.requestBody?.description) : ""}
${fields(resolve(body?.schema, schemas))}
<h4>Answer</h4>
${isStream ? prose(answer.description) : ""}
${fields(resolve(output, schemas))}
<h4>Example</h4>
${code(commandFor(path, "post", post, document))}
${get && code(commandFor(path, "get", get, document))}
</article>
`;
}

function typeSection(name: string, schema: Schema): Html {
  const isObject = schema.properties !== undefined;
  return html`<article id="${name}">
<h3>${shortName(name)}</h3>
<p class="name">${name}${isObject ? "" : html`, ${typeWords(schema)}`}</p>
${prose(schema.description)}
${isObject ? fieldList(schema) : rules(ruleWords(schema))}
</article>
`;
}

/** Renders the comment of a message and its fields. */
function fields(schema: Schema): Html {
  return html`${prose(schema.description)}${fieldList(schema)}`;
}

function fieldList({ properties = {}, required = [] }: Schema): Html {
  const entries = Object.entries(properties);
  if (entries.length === 0) return html`<p class="none">No fields.</p>`;
  return html`<dl class="fields">
${entries.map(
  ([name, field]) => html`<div><dt><code>${name}</code> <span class="type">${typeWords(field)}</span>${
    required.includes(name) ? html` <span class="tag">required</span>` : ""
  }${field.deprecated ? html` <span class="tag">deprecated</span>` : ""}</dt>
<dd>${prose(field.description)}${rules(ruleWords(field))}</dd></div>
`,
)}</dl>`;
}

function rules(words: readonly HtmlValue[]): HtmlValue {
  return words.length === 0 ? undefined : html`<p class="rules">${join(words, "; ")}</p>`;
}

function errorTable(responses: Readonly<Record<string, Response>>): Html {
  return html`<dl class="fields">
${Object.entries(responses).map(
  ([name, { description, headers = {} }]) => html`<div><dt><code>${name.replace("Error", "")}</code></dt>
<dd>${prose(description)}${Object.entries(headers).map(([header, value]) =>
    "description" in value ? html`<p class="rules"><code>${header}</code>: ${inline(value.description)}</p>` : "",
  )}</dd></div>
`,
)}</dl>`;
}

function accessWords({ security }: Operation): Html {
  const [requirement] = security;
  if (!requirement) return html`Needs no token.`;
  const scopes = Object.values(requirement).flat();
  if (scopes.length === 0) return html`Needs a token.`;
  return html`Needs a token with the scope ${join(
    scopes.map((scope) => html`<code>${scope}</code>`),
    " ",
  )}.`;
}

function code(text: string): Html {
  return html`<pre><code>${text}</code></pre>`;
}

/** Returns the names of the types that are used inside other types, sorted. */
function innerTypes(schemas: Readonly<Record<string, Schema>>): string[] {
  const names = new Set<string>();
  const visit = (schema: Schema | boolean | undefined): void => {
    if (typeof schema !== "object") return;
    if (schema.$ref) names.add(nameOfRef(schema.$ref));
    for (const inner of [schema.items, schema.additionalProperties, ...(schema.anyOf ?? [])]) visit(inner);
    for (const inner of Object.values(schema.properties ?? {})) visit(inner);
  };
  for (const schema of Object.values(schemas)) visit(schema);
  return [...names].sort();
}

function resolve(schema: Schema | undefined, schemas: Readonly<Record<string, Schema>>): Schema {
  return schema?.$ref ? (schemas[nameOfRef(schema.$ref)] ?? {}) : (schema ?? {});
}

/** Lets a browser break a full name after its dots. */
function breakable(name: string): HtmlValue {
  return join(name.split(/(?<=\.)/), html`<wbr>`);
}

function shortName(name: string): string {
  return name.split(".").at(-1) ?? name;
}

/** Returns the URL fragment of a method, such as `user.v1.UserService.GetUser`. */
function idOf(path: string): string {
  return path.slice(1).replace("/", ".");
}
