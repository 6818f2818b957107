import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ShippedPackage } from "./shipped-packages.ts";

const LICENCE_FILE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;
const README = /^readme\.md$/i;
/** Heading of a README's part about the licence, and that part. */
const README_PART = /^#+ *licen[cs]e\b.*\n([\s\S]*?)(?=^#|(?![\s\S]))/im;
const RULE = "=".repeat(80);
/** Files of packages that begin with somebody else's notice, in comments. */
const FILES_WITH_NOTICES: Readonly<Record<string, string>> = {
  "@bufbuild/protobuf": "dist/esm/wire/varint.js",
};
const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

/**
 * Returns a text with each package's name, its licence, and its authors' own wording.
 *
 * @throws Error for a package whose licence must be included, but is not found.
 */
export function licenceTexts(packages: readonly ShippedPackage[]): string {
  const parts = packages.map(({ name, version, licence, folder }) => {
    const texts = [...(filesOf(folder) ?? [wordsOf(name, licence, folder)]), ...noticesOf(name, folder)];
    return [RULE, `${name} ${version}: ${licence}`, RULE, ...texts].join("\n\n");
  });
  return `This software contains code of the following packages.\n\n${parts.join("\n\n")}\n`;
}

function filesOf(folder: string): string[] | undefined {
  const files = readdirSync(folder).filter((file) => LICENCE_FILE.test(file));
  return files.length > 0 ? files.map((file) => readFileSync(join(folder, file), "utf8").trim()) : undefined;
}

/** Returns the licence text of a package that has no file for it. */
function wordsOf(name: string, licence: string, folder: string): string {
  const readme = readdirSync(folder).find((file) => README.test(file));
  const [, part = ""] = (readme && README_PART.exec(readFileSync(join(folder, readme), "utf8"))) || [];
  if (part.includes("Permission is hereby granted")) return part.trim();
  if (licence.includes("Apache-2.0")) return "The Apache License, Version 2.0, is in the file LICENSE beside this one.";
  if (licence === "Unlicense") return "Its authors have released it into the public domain: https://unlicense.org";
  const { author } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  if (licence === "MIT" && typeof author === "string") return `Copyright (c) ${author}\n\n${MIT}`;
  throw new Error(`${name} has the licence ${licence}, and no text of it: see ${import.meta.filename}`);
}

function noticesOf(name: string, folder: string): string[] {
  const file = FILES_WITH_NOTICES[name];
  if (file === undefined) return [];
  const [notice] = /^(?:\/\/.*\n)+/.exec(readFileSync(join(folder, file), "utf8")) ?? [];
  if (notice === undefined) throw new Error(`${name} has no notice in ${file}: see ${import.meta.filename}`);
  return [notice.replaceAll(/^\/\/ ?/gm, "").trim()];
}
