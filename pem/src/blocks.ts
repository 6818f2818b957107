import { PemError } from "./pem-error.ts";

/** Block of a PEM text (RFC 7468), complete or not. */
export interface Block {
  /** Label such as `CERTIFICATE`. */
  readonly label: string;
  /** Text from the BEGIN line to the END line. */
  readonly text: string;
  /** Place in the text, such as `block 2 of 3 (line 21)`. */
  readonly place: string;
}

/**
 * Finds all blocks of a PEM text. OpenSSL stops at the first broken block and silently ignores the rest. It also misses
 * a BEGIN after a byte order mark, or on the line of the END before it, as `cat` can produce.
 *
 * @param content Expected content of the text, in PEM's words, such as "CERTIFICATE".
 * @throws PemError for a text without blocks, and for a block that does not end.
 */
export function blocksOf(text: string, content: string): Block[] {
  if (text.trim() === "") throw new PemError("is empty");
  const pieces = text.split(/(?=-----BEGIN )/);
  const [preamble = ""] = pieces;
  let line = 1;
  if (!preamble.startsWith("-----BEGIN ")) {
    line += countLineBreaks(preamble);
    pieces.shift();
  }
  if (pieces.length === 0) {
    const isBinary = /[\0\uFFFD]/.test(text);
    throw new PemError(`is not PEM: it has no line -----BEGIN ${content}-----${isBinary ? ", and may be DER" : ""}`);
  }
  return pieces.map((piece, index) => {
    const place = `block ${index + 1} of ${pieces.length} (line ${line})`;
    line += countLineBreaks(piece);
    const [whole, label] = /^-----BEGIN ([A-Z\d ]+)-----\s[\s\S]*?-----END \1-----/.exec(piece) ?? [];
    if (whole === undefined || label === undefined) throw new PemError(`is cut or damaged: ${place} has no END line`);
    return { label, text: `${whole}\n`, place };
  });
}

function countLineBreaks(text: string): number {
  return text.split("\n").length - 1;
}
