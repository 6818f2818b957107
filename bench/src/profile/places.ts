import { readFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import type { CallFrame } from "./cpu-profile.ts";

/**
 * Creates a function that returns the place of a bundle's function: a folder of the repository, a package, or a module
 * of Node.js.
 *
 * @param mapFile The bundle's source map.
 */
export function createPlaces(mapFile: string): (frame: CallFrame) => string {
  const map = new SourceMap(JSON.parse(readFileSync(mapFile, "utf8")) as SourceMapPayload);
  return ({ url, lineNumber, columnNumber }) => {
    if (url.startsWith("node:")) return placeOfNodeModule(url);
    const entry = map.findEntry(lineNumber, columnNumber);
    return "originalSource" in entry ? placeOfSource(entry.originalSource) : "the bundle itself";
  };
}

/** Returns the module of Node.js: `node:internal/http2/core` is a part of `node:http2`. */
export function placeOfNodeModule(url: string): string {
  const path = url.replace(/^node:(internal\/)?/, "");
  return `node:${path.split("/", 1)[0]?.replace(/^_?stream.*/, "stream")}`;
}

/** Returns the package of a source, or its folder in the repository. */
export function placeOfSource(source: string): string {
  const [, name] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source) ?? [];
  if (name !== undefined) return name;
  const path = source.replace(/^(\.\.\/)*/, "");
  const isOfServer = path.startsWith("src/");
  return `${isOfServer ? "server/" : ""}${path.slice(0, path.lastIndexOf("/"))}`;
}
