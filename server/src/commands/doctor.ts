import { counted } from "@rollcall/shared/counted";
import { ConfigError } from "@rollcall/shared/settings/config-error";
import { type Config, parseConfig } from "../config.ts";
import { checkCertificates } from "./checks/certificates.ts";
import { checkDatabase } from "./checks/database.ts";
import { checkDisk } from "./checks/disk.ts";
import type { Finding } from "./checks/finding.ts";
import { checkKeys } from "./checks/keys.ts";
import { checkMemory, checkNode, checkOpenFiles } from "./checks/machine.ts";
import { checkPort } from "./checks/port.ts";
import type { CommandIo } from "./io.ts";

/** Something that a server needs is missing. The message has the number of such findings. */
export class DoctorError extends Error {
  override name = "DoctorError";
}

/**
 * Checks everything that a server with these settings needs. Prints a line for each finding, with what to do about it.
 * Changes nothing.
 *
 * @throws DoctorError when something would keep a server from serving.
 */
export async function doctor(io: CommandIo): Promise<void> {
  let failures = 0;
  const report = (findings: readonly Finding[]) => {
    for (const { state, text } of findings) {
      if (state === "fail") failures += 1;
      io.stdout.write(`${state.padEnd(4)}  ${text}\n`);
    }
  };
  report([checkNode(process.versions.node), checkOpenFiles(), checkMemory(process.constrainedMemory())]);
  const config = readConfig(io, report);
  if (config) {
    report(await checkDatabase(config.database));
    report(await checkDisk(config.database));
    report(checkCertificates(config.tls, Date.now()));
    report(await checkKeys(config.auth));
    report(await checkPort(config, io.signal));
  }
  io.signal.throwIfAborted();
  if (failures > 0) throw new DoctorError(`${counted(failures, "check")} failed`);
}

function readConfig(io: CommandIo, report: (findings: readonly Finding[]) => void): Config | undefined {
  try {
    const config = parseConfig(io.env, io, io.namesInFile);
    report([{ state: "ok", text: "settings: all good" }]);
    return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    report(error.problems.map((text) => ({ state: "fail", text: `settings: ${text}` })));
    return undefined;
  }
}
