import { UnreadableFileError } from "./unreadable-file-error.ts";

/** Positions of the fields in a record. */
export interface Columns {
  readonly email: number;
  readonly name: number;
}

const NAMES = ["email", "name"] as const;

/** Other separators that programs write. */
const SEPARATORS: readonly (readonly [separator: string, name: string])[] = [
  [";", "semicolons"],
  ["\t", "tabs"],
  ["|", "vertical bars"],
];

/**
 * Finds the columns `email` and `name` in the first record of a CSV file, in upper or lower case.
 *
 * @throws UnreadableFileError for a missing or repeated column. If another separator is used, the error names it.
 */
export function findColumns(fields: readonly string[]): Columns {
  const names = fields.map(toName);
  const doubled = NAMES.find((name) => names.indexOf(name) !== names.lastIndexOf(name));
  if (doubled) throw new UnreadableFileError(`the first line of the CSV file names the column ${doubled} twice`);
  if (hasNames(names)) return { email: names.indexOf("email"), name: names.indexOf("name") };
  const header = fields.join(",");
  const [, separators] = SEPARATORS.find(([separator]) => hasNames(header.split(separator).map(toName))) ?? [];
  throw new UnreadableFileError(
    separators
      ? `the CSV file has ${separators} between its fields: save it with commas, or as JSON Lines`
      : "the first line of a CSV file must name the columns email and name",
  );
}

function hasNames(names: readonly string[]): boolean {
  return NAMES.every((name) => names.includes(name));
}

function toName(field: string): string {
  return field
    .trim()
    .replace(/^"(.*)"$/, "$1")
    .trim()
    .toLowerCase();
}
