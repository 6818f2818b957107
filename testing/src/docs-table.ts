import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./root.ts";

/** Returns the rows of the table below a heading of a page in docs/, each as the texts of its cells. */
export function tableBelow(page: string, heading: string): string[][] {
  const markdown = readFileSync(join(root, "docs", page), "utf8");
  const [, text = ""] = markdown.split(new RegExp(`^#+ ${heading}$`, "m"));
  const [, table = ""] = /\n((?:\|.*\n)+)/.exec(text) ?? [];
  const [, , ...rows] = table.trimEnd().split("\n");
  return rows.map((row) =>
    row
      .split("|")
      .map((cell) => cell.trim())
      .slice(1, -1),
  );
}
