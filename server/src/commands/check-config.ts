import { parseConfig } from "../config.ts";
import type { CommandIo } from "./io.ts";

/** Reads all settings and their files as a start does. @throws ConfigError */
export function checkConfig(io: CommandIo): void {
  parseConfig(io.env, io, io.namesInFile);
  io.stdout.write("The settings are good. `doctor` tries what they name.\n");
}
