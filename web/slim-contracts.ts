import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fromBinary, type Message } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { Plugin } from "vite";

/** Modules with the contracts of the pages' calls: the API's own, errors, and well-known types. */
const GENERATED =
  /\/(?:gen\/src\/(?:google\/rpc|stream|user)\/.*_pb\.ts|wkt\/google\/protobuf\/(?:any|duration|field_mask|timestamp)_pb\.js|protocol-grpc\/gen\/status_pb\.js)$/;
/** Modules of the app that need contracts with their options, such as rules and scopes. They are loaded on demand. */
const NEEDS_OPTIONS = /\/web\/src\/(?:api\/rules\/validator|explorer\/contracts\/known-contracts)\.ts$/;
const OWN = /^@rollcall\/gen\//;
const WITH_OPTIONS = "?with-options";
const EMBEDDED = /\bfileDesc\("([^"]+)"/;
/** Files that a contract imports only for its options. */
const FILES_OF_OPTIONS = /\bfile_(?:buf_validate_validate|rollcall_options_v1_auth)(?:, )?(?=[^\]]*\]\);)/g;
const SLIM_FILE = join(import.meta.dirname, "src/api/slim-file.ts");

/** Options that change how messages and calls are encoded. */
const OPTIONS: readonly string[] = ["deprecated", "idempotencyLevel", "mapEntry", "packed"];
/** Parts of descriptors that no client needs. */
const LEFT_OUT: readonly string[] = ["$typeName", "$unknown", "extensionRange", "reservedName", "reservedRange"];

/**
 * Rewrites contracts as literals, without rules, scopes and other options. Pages then load neither these nor protobuf's
 * own contract, which reading them needs: each page loads 8 kB less.
 */
export function slimContracts(): Plugin {
  return {
    name: "slim-contracts",
    enforce: "pre",
    apply: "build",
    resolveId: {
      filter: { id: OWN },
      async handler(source, importer = "") {
        if (!NEEDS_OPTIONS.test(importer)) return null;
        const found = await this.resolve(source, importer, { skipSelf: true });
        return found && GENERATED.test(found.id) ? found.id + WITH_OPTIONS : found;
      },
    },
    load: {
      filter: { id: /\?with-options$/ },
      handler: async (id) => ({ code: await readFile(id.slice(0, -WITH_OPTIONS.length), "utf8"), moduleType: "ts" }),
    },
    transform: {
      filter: { id: GENERATED },
      handler(code, id) {
        const [call, base64 = ""] = EMBEDDED.exec(code) ?? this.error(`${id} embeds no contract`);
        const file = slim(fromBinary(FileDescriptorProtoSchema, base64Decode(base64)));
        const slimmed = code.replace(FILES_OF_OPTIONS, "").replace(call, `slimFile(${JSON.stringify(file)}`);
        return { code: `import { slimFile } from ${JSON.stringify(SLIM_FILE)};\n${slimmed}`, map: null };
      },
    },
  };
}

/** Returns the parts of a descriptor that are set and needed. */
export function slim(descriptor: Message): object {
  return pick(descriptor, (key, value) => {
    if (LEFT_OUT.includes(key) || (key === "label" && value === 1)) return undefined;
    if (Array.isArray(value)) return value.length > 0 ? value.map(slim) : undefined;
    if (key !== "options") return value;
    const options = pick(value as object, (option, set) => (OPTIONS.includes(option) ? set : undefined));
    return Object.keys(options).length > 0 ? options : undefined;
  });
}

function pick(from: object, choose: (key: string, value: unknown) => unknown): object {
  return Object.fromEntries(
    Object.entries(from)
      .map(([key, value]) => [key, choose(key, value)] as const)
      .filter(([, value]) => value !== undefined),
  );
}
