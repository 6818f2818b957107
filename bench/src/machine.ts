import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { hasProgram, isPinned } from "./cores.ts";

/** Machine and versions of a run. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly system: string;
  readonly isPinned: boolean;
  /** Versions of Node.js, h2load, Go, and each package that is measured. */
  readonly versions: Readonly<Record<string, string>>;
}

const PACKAGES = [
  "@bufbuild/protobuf",
  "@bufbuild/protovalidate",
  "@connectrpc/connect",
  "@connectrpc/connect-fastify",
  "@grpc/grpc-js",
  "nice-grpc",
  "fastify",
  "@trpc/server",
  "jose",
  "pino",
  "ws",
];

/** Reads the properties of the machine that the figures depend on. */
export function describeMachine(): Machine {
  const versions: Record<string, string> = { node: process.versions.node };
  if (hasProgram("h2load")) versions.h2load = firstLine("h2load", ["--version"]).replace("h2load ", "");
  if (hasProgram("go")) {
    versions.go = firstLine("go", ["env", "GOVERSION"]);
    const module = readFileSync(join(import.meta.dirname, "../contestants/grpc-go/go.mod"), "utf8");
    versions["grpc-go"] = /google\.golang\.org\/grpc v(\S+)/.exec(module)?.[1] ?? "unknown";
  }
  for (const name of PACKAGES) versions[name] = versionOf(name);
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    system: `${type()} ${release()}`,
    isPinned,
    versions,
  };
}

/** The commit that is measured; undefined outside of a repository. */
export function currentCommit(): string | undefined {
  try {
    return firstLine("git", ["-C", import.meta.dirname, "describe", "--always", "--dirty"]);
  } catch {
    return undefined;
  }
}

function firstLine(command: string, args: readonly string[]): string {
  const output = execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return output.split("\n", 1)[0] ?? "";
}

function versionOf(name: string): string {
  const manifest = join(import.meta.dirname, "../node_modules", name, "package.json");
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}
