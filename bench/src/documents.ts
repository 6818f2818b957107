import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { drawChart } from "./chart.ts";
import type { Results } from "./results.ts";
import { replaceSpeedSection } from "./speed-section.ts";
import { rowsOf, writeHead, writeMarkdownTable } from "./table.ts";

const root = join(import.meta.dirname, "../..");

/** The run that the documents show. */
export const latestFile = join(root, "bench/results/latest.json");

/** Writes the documents that show a run, by their paths in the repository. */
export function documentsOf(results: Results): Readonly<Record<string, string>> {
  return {
    "docs/images/bench.svg": drawChart(results),
    "docs/speed.md": writePage(results),
    "README.md": replaceSpeedSection(readFileSync(join(root, "README.md"), "utf8"), results),
  };
}

/** Reads the latest run. @throws Error when there is none. */
export function readLatest(): Results {
  return JSON.parse(readFileSync(latestFile, "utf8")) as Results;
}

/** Updates the documents to the latest run, and returns their paths. @throws Error when there is none. */
export function writeDocuments(): string[] {
  const documents = Object.entries(documentsOf(readLatest()));
  for (const [path, text] of documents) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return documents.map(([path]) => path);
}

function writePage(results: Results): string {
  return [
    "# Speed",
    "",
    "Written by `npx -y pnpm@12 bench` from `bench/results/latest.json`; [bench/README.md](../bench/README.md) says what is",
    "compared and what the figures mean.",
    "",
    ...writeHead(results)
      .split("\n")
      .map((line) => `- ${line}`),
    ...results.workloads.flatMap((workload) => [
      "",
      `## ${workload.title}`,
      "",
      writeMarkdownTable(unnamed(rowsOf(workload))),
    ]),
    "",
  ].join("\n");
}

/** Leaves the first column's header empty, since the heading above has it. */
function unnamed([headers = [], ...rows]: readonly (readonly string[])[]): string[][] {
  return [["", ...headers.slice(1)], ...rows.map((row) => [...row])];
}
