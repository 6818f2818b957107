import { spawnSync } from "node:child_process";
import { cpSync } from "node:fs";
import { dirname, join } from "node:path";
import { hasProgram } from "./cores.ts";

const root = join(import.meta.dirname, "../..");
const TOOLS = [
  "google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12",
  "google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.0",
];

const CONTRACTS = ["proto/user", "proto/stream", "proto/rollcall"];

/** Path of the program in the folder of a run. */
export function goProgramIn(runFolder: string): string {
  return join(runFolder, "grpc-go/server");
}

/** Builds grpc-go's contestant in the folder of a run. @returns Reason why it can't be built here, or undefined. */
export function buildGoProgram(runFolder: string): string | undefined {
  if (!hasProgram("go")) return "grpc-go is left out: Go is not on this machine (https://go.dev/dl)";
  const program = goProgramIn(runFolder);
  const folder = dirname(program);
  cpSync(join(import.meta.dirname, "../contestants/grpc-go"), folder, { recursive: true });
  const plugins = TOOLS.map((tool) => ({ local: ["go", "run", tool], out: ".", opt: "module=github.com/myapp" }));
  const template = JSON.stringify({ version: "v2", plugins });
  const steps: [string, string[], string][] = [
    [
      join(root, "node_modules/.bin/buf"),
      ["generate", "proto", ...CONTRACTS.flatMap((path) => ["--path", path]), "-o", folder, "--template", template],
      root,
    ],
    ["go", ["mod", "tidy"], folder],
    ["go", ["build", "-o", program, "."], folder],
  ];
  for (const [command, args, cwd] of steps) {
    const { status, stderr } = spawnSync(command, args, {
      cwd,
      encoding: "utf8",
      env: { ...process.env, GOFLAGS: "-mod=mod" },
    });
    if (status !== 0) return `grpc-go is left out: it can't be built here: ${stderr.trim().slice(-500)}`;
  }
  return undefined;
}
