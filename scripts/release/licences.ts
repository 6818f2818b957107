import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ShippedPackage } from "./shipped-packages.ts";

const LICENCE_FILE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;
const RULE = "=".repeat(80);

/** Returns a text with each package's name, licence, and the files in which its authors state it. */
export function licenceTexts(packages: readonly ShippedPackage[]): string {
  const parts = packages.map(({ name, version, licence, folder }) => {
    const files = readdirSync(folder).filter((file) => LICENCE_FILE.test(file));
    const texts = files.map((file) => readFileSync(join(folder, file), "utf8").trim());
    return [RULE, `${name} ${version}: ${licence}`, RULE, ...texts].join("\n\n");
  });
  return `This software contains code of the following packages.\n\n${parts.join("\n\n")}\n`;
}
