import { cp, mkdtempDisposable, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { file_buf_validate_validate as installed } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { root } from "@rollcall/testing/root";
import { run } from "@rollcall/testing/run-program";
import { expect, test } from "vitest";

const path = "buf/validate/validate.proto";
const textOf = (file: FileDescriptorProto) => Buffer.from(toBinary(FileDescriptorProtoSchema, file)).toString("base64");

test("buf/validate in proto is that of the installed validator", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "rollcall-"));
  const output = join(folder.path, "contract.binpb");
  // Only a copy of the contract, without the repository's buf.yaml, as in other projects.
  await cp(join(root, "proto"), join(folder.path, "proto"), { recursive: true });
  const args = ["build", "proto", "--as-file-descriptor-set", "-o", output];
  const { stderr } = await run(join(root, "node_modules/.bin/buf"), [...args, "--exclude-source-info"], {
    cwd: folder.path,
  });
  expect(stderr).toBe("");
  const { file: files } = fromBinary(FileDescriptorSetSchema, await readFile(output));
  const vendored = files.find(({ name }) => name === path);
  if (!vendored) throw new Error(`proto/${path} is missing`);
  expect(textOf(vendored)).toBe(textOf(installed.proto));
  // The control: a missing field is noticed.
  vendored.messageType[0]?.field.pop();
  expect(textOf(vendored)).not.toBe(textOf(installed.proto));
});
