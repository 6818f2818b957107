import { readFile, rm } from "node:fs/promises";
import type { FileFormat } from "@rollcall/shared/users-file/file-format";
import { replaceFile } from "./replace-file.ts";

/** Format and selection of an export. An export of another kind can't continue its file. */
export interface ExportKind {
  readonly format: FileFormat;
  readonly filter: string;
}

/** Place that an export has reached. Everything before it is in the partial file. */
export interface ExportState extends ExportKind {
  /** Token of the next page. */
  readonly pageToken: string;
  /** Users in the partial file. */
  readonly exported: number;
  /** Bytes of the partial file that these users take. */
  readonly bytes: number;
  /** Start of the first run, in milliseconds since the Unix epoch. */
  readonly startedAtMs: number;
}

/** Reads the state that an interrupted export left; returns undefined if there is none that can be used. */
export async function readExportState(path: string): Promise<ExportState | undefined> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
  return isState(value) ? value : undefined;
}

/** Replaces the state atomically: a reader finds the old one or the new one. */
export async function writeExportState(path: string, state: ExportState): Promise<void> {
  await replaceFile(path, `${JSON.stringify(state)}\n`);
}

export async function removeExportState(path: string): Promise<void> {
  await rm(path, { force: true });
  await rm(`${path}.new`, { force: true });
}

function isState(value: unknown): value is ExportState {
  const { pageToken, exported, bytes, format, filter, startedAtMs } = (value ?? {}) as Record<string, unknown>;
  const areTexts = [pageToken, format, filter].every((text) => typeof text === "string");
  // Without a token, an export would begin from the start after the file's end.
  return (
    areTexts &&
    pageToken !== "" &&
    [exported, bytes, startedAtMs].every((count) => Number.isSafeInteger(count) && Number(count) >= 0)
  );
}
