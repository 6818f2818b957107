import { commandFor } from "./docs/example.ts";
import type { OpenApiDocument } from "./openapi/document.ts";

/** Renders a short guide to the API in Markdown, in the form of llmstxt.org. */
export function renderGuide(document: OpenApiDocument, baseUrl: string): string {
  const { info, tags, paths } = document;
  const entries = Object.entries(paths);
  const [firstPath = "", first] = entries[0] ?? [];
  const command = first && commandFor(firstPath, "post", first.post, document);
  const services = tags.map(({ name, description = "" }) => {
    const methods = entries.filter(([, { post }]) => post.tags.includes(name));
    const lines = methods.map(([path, { post, get }]) => {
      const scopes = post.security.flatMap((requirement) => Object.values(requirement).flat());
      const access = post.security.length === 0 ? "no token" : scopes.join(" ") || "any token";
      const isStream = post.requestBody?.content["application/json"] === undefined;
      return `- \`${get ? "GET, POST" : "POST"} ${path}\` (${access}${isStream ? ", stream" : ""}): ${firstSentence(post.description ?? post.summary)}`;
    });
    return [`### ${name}`, firstSentence(description), lines.join("\n")].filter(Boolean).join("\n\n");
  });
  return `# ${info.title}

> The API of this server, at ${baseUrl}. The same methods answer JSON over HTTP, Connect, gRPC and gRPC-Web, on one port.

Call a method with a POST of JSON to its path. Streams need a client of Connect, gRPC or gRPC-Web.

## Token

Send \`authorization: Bearer <JWT>\`. The token has \`sub\`, \`exp\` and \`scope\`, a list of scopes with spaces between them.
Ask the operator of this server for one, or its identity provider. A server for development prints one when it starts;
with its secret, \`rollcall token mint --sub NAME --scope "users:read users:write" --ttl 1h\` makes one.

## Example

\`\`\`sh
export URL=${baseUrl}
export TOKEN=…
${command ?? ""}
\`\`\`

An error has an HTTP status and JSON: \`{"code": "not_found", "message": "…", "details": […]}\`. Retry \`unavailable\` only.

## Reference

- [OpenAPI 3.1](${baseUrl}/openapi.json): every method, message, rule and error
- [The same as a page](${baseUrl}/docs)
- gRPC's reflection (\`grpc.reflection.v1.ServerReflection\`), where it is on: \`grpcurl\` and \`buf curl\` need no files

## Methods

${services.join("\n\n")}
`;
}

/** Returns the first sentence of a comment, on one line. */
function firstSentence(text: string): string {
  const [sentence = ""] = /^.*?\.(?=\s|$)/s.exec(text) ?? [text];
  return sentence.replace(/\s+/g, " ");
}
