/** Formats of files with users. */
export type FileFormat = "csv" | "jsonl";

const FORMATS: Readonly<Record<string, FileFormat>> = { csv: "csv", jsonl: "jsonl", ndjson: "jsonl" };

/** Returns the format that a file's extension names, in upper or lower case. */
export function formatByExtension(path: string): FileFormat | undefined {
  const [, extension = ""] = /[^/\\]\.(\w+)$/.exec(path) ?? [];
  return FORMATS[extension.toLowerCase()];
}
