import type { DescMethod } from "@bufbuild/protobuf";
import { methodName } from "@rollcall/shared/method-name";

/**
 * Commands that make the same call from a terminal, by tool. The token is in
 * $ROLLCALL_TOKEN; with TLS, $ROLLCALL_CA may name the certificate authority's file.
 */
export interface Commands {
  readonly curl: string;
  readonly "buf curl": string;
  readonly rollcall: string;
}

/** Most messages of a conversation that a command repeats. */
export const MAX_PRINTED_MESSAGES = 20;

const AUTHORIZATION = '-H "authorization: Bearer $ROLLCALL_TOKEN"';

/** Makes the commands for a call whose requests are known. */
export function commandsFor(
  address: string,
  method: DescMethod,
  requests: readonly object[],
  rollcall: string,
): Commands {
  const messages = requests.slice(0, MAX_PRINTED_MESSAGES).map((request) => JSON.stringify(request));
  const comment = requests.length > messages.length ? `# The first ${messages.length} messages.\n` : "";
  return {
    curl: `${comment}printf ${quote(messages.map(envelope).join(""))} |\n  ${connectCurl(address, method)}`,
    "buf curl": `${comment}${bufCurl(address, method)} \\\n  -d ${quote(messages.join("\n"))}`,
    rollcall: withAddress(address, rollcall),
  };
}

/** Makes the curl command of a unary call. */
export function unaryCommand(address: string, method: DescMethod, request: object): string {
  const ca = isSecure(address) ? `${authority("--cacert")} ` : "";
  return `curl -sS ${ca}${AUTHORIZATION} \\
  -H 'content-type: application/json' \\
  -d ${quote(JSON.stringify(request))} \\
  ${urlOf(address, method)}`;
}

/** Makes the commands for a unary call. */
export function unaryCommands(address: string, method: DescMethod, request: object, rollcall: string): Commands {
  return {
    curl: unaryCommand(address, method, request),
    "buf curl": `${bufCurl(address, method)} \\\n  -d ${quote(JSON.stringify(request))}`,
    rollcall: withAddress(address, rollcall),
  };
}

/** Makes the command that imports users from a file. */
export function importCommand(address: string, fileName: string): string {
  return withAddress(address, `users import -- ${quote(fileName)}`);
}

/** Makes the commands for an upload of a file, in messages of one mebibyte. */
export function uploadCommands(address: string, method: DescMethod, fileName: string): Commands {
  const file = quote(fileName);
  const eachPart = (send: string) => `i=0
while c=$(dd if=${file} bs=1048576 skip=$i count=1 2>/dev/null | base64 | tr -d '\\n'); [ -n "$c" ]; do
  ${send}
  i=$((i+1))
done |`;
  const octets = "$((n>>24&255)) $((n>>16&255)) $((n>>8&255)) $((n&255))";
  const sendEnvelope = `b='{"chunk":"'"$c"'"}'; n=\${#b}
  printf "$(printf '\\\\0\\\\%03o\\\\%03o\\\\%03o\\\\%03o' ${octets})"; printf %s "$b"`;
  return {
    curl: `${eachPart(sendEnvelope)}\n  ${connectCurl(address, method)}`,
    "buf curl": `${eachPart(`printf '{"chunk":"%s"}\\n' "$c"`)}\n  ${bufCurl(address, method)} -d @-`,
    rollcall: withAddress(address, `upload -- ${file}`),
  };
}

function connectCurl(address: string, method: DescMethod): string {
  // Only HTTP/2 carries both directions at the same time.
  const http2 = isSecure(address) ? `--http2 ${authority("--cacert")}` : "--http2-prior-knowledge";
  return `curl -sSN ${http2} --data-binary @- ${AUTHORIZATION} \\
    -H 'content-type: application/connect+json' \\
    ${urlOf(address, method)} --output -`;
}

function bufCurl(address: string, method: DescMethod): string {
  const http2 = isSecure(address) ? authority("--cacert") : "--http2-prior-knowledge";
  return `npx buf curl --schema . --protocol grpc ${http2} ${AUTHORIZATION} \\
    ${urlOf(address, method)}`;
}

function withAddress(address: string, command: string): string {
  const ca = isSecure(address) ? `${authority("--ca")} ` : "";
  return `npx -y pnpm@12 --silent rollcall --address ${address} ${ca}${command}`;
}

export function isSecure(address: string): boolean {
  return address.startsWith("https:");
}

/** Makes the option that names a certificate authority, if one is set. */
export function authority(option: string): string {
  return `\${ROLLCALL_CA:+${option} "$ROLLCALL_CA"}`;
}

export function urlOf(address: string, method: DescMethod): string {
  return `${address}/${methodName(method)}`;
}

/** Frames a message of a stream as the Connect protocol does, for printf: no flags, then a length of 32 bits. */
export function envelope(message: string): string {
  const { length } = new TextEncoder().encode(message);
  const prefix = [0, length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255];
  const octal = prefix.map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
  return octal + message.replaceAll("\\", "\\\\").replaceAll("%", "%%");
}

/** Quotes any text as one word of a POSIX shell. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
