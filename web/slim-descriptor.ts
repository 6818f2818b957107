import type { boot } from "@bufbuild/protobuf/codegenv2";
import type { Plugin } from "vite";

/** Protobuf's own contract, by which the explorer reads the contracts of a server. */
const DESCRIPTOR = /\/wkt\/google\/protobuf\/descriptor_pb\.js$/;
const CONTRACT = /\bboot\((\{.*\})\)/;
/** Enum in the form that the TypeScript compiler writes: a variable, and a call that fills it. */
const ENUM = /^export var (\w+);\n\(function \(\1\) \{\n([\s\S]*?)\n\}\)\(\1 \|\| \(\1 = \{\}\)\);$/gm;

/**
 * Fields that no page reads: options of generators for other languages, hints to compilers, and comments. The samples
 * for Go read go_package.
 */
const UNREAD_FIELDS =
  /^(?:(?:cc|csharp|java|objc|php|py|ruby|swift)_.*|ctype|debug_redact|edition_defaults|feature_support|jstype|lazy|optimize_for|reserved_(?:name|range)|retention|source_code_info|targets|uninterpreted_option|unverified_lazy|visibility|weak)$/;
/**
 * Messages that nothing refers to once these fields are left out. They are the last ones, so that the others keep their
 * positions.
 */
const UNREAD_MESSAGES: readonly string[] = ["FeatureSetDefaults", "SourceCodeInfo", "GeneratedCodeInfo"];

/** Contract in the form of the literal in its module. */
type Contract = Parameters<typeof boot>[0];

/** Removes the parts of protobuf's own contract that no page reads: 1.8 kB of the explorer. */
export function slimDescriptor(): Plugin {
  return {
    name: "slim-descriptor",
    apply: "build",
    transform: {
      filter: { id: DESCRIPTOR },
      handler(code, id) {
        const contract = contractIn(code) ?? this.error(`${id} has no contract`);
        const slimmed = code.replace(CONTRACT, () => `boot(${JSON.stringify(slimContract(contract))})`);
        return { code: makeEnumsDroppable(slimmed), map: null };
      },
    },
  };
}

/** Returns the contract in the code of its module. */
export function contractIn(code: string): Contract | undefined {
  const [, json] = CONTRACT.exec(code) ?? [];
  return json === undefined ? undefined : (JSON.parse(json) as Contract);
}

/**
 * Returns protobuf's own contract without the parts that no page reads. A parser treats the removed fields as unknown
 * ones.
 */
export function slimContract(contract: Contract): Contract {
  const messageType = contract.messageType
    .filter(({ name }) => !UNREAD_MESSAGES.includes(name))
    .map((message) => ({ ...message, field: (message.field ?? []).filter(({ name }) => !UNREAD_FIELDS.test(name)) }));
  return { ...contract, messageType };
}

/**
 * Makes each enum the value of a call that is marked as free of other effects, so that a bundler drops unused enums.
 */
function makeEnumsDroppable(code: string): string {
  return code.replace(
    ENUM,
    (_enum, name: string, body: string) =>
      `export const ${name} = /* @__PURE__ */ (function (${name}) {\n${body}\nreturn ${name};\n})({});`,
  );
}
