import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "@rollcall/testing/root";
import { expect, test } from "vitest";

/** Returns the anchor that GitHub gives a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(/\s/g, "-");
}

/** Returns the broken links of a page: their file or heading does not exist. */
function brokenLinks(page: string, text: string): string[] {
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  return targets.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [path = "", anchor] = target.split("#");
    const file = path === "" ? join(root, page) : join(root, dirname(page), path);
    if (!existsSync(file)) return true;
    if (anchor === undefined) return false;
    const headings = readFileSync(file, "utf8").matchAll(/^#+ (.*)$/gm);
    return ![...headings].some(([, heading = ""]) => anchorOf(heading) === anchor);
  });
}

const pages = execFileSync("git", ["ls-files", "*.md"], { cwd: root, encoding: "utf8" }).trim().split("\n");

test.each(pages)("every link of %s leads somewhere", (page) => {
  expect(brokenLinks(page, readFileSync(join(root, page), "utf8"))).toEqual([]);
});

test("a link to no file or no heading is found", () => {
  const text = "[a](nowhere.md) [b](README.md#nowhere) [c](README.md#start) [d](#call-it) [e](https://example.com/)";
  expect(brokenLinks("README.md", text)).toEqual(["nowhere.md", "README.md#nowhere"]);
});
