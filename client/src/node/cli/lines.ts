const LINE_FEED = 0x0a;

/**
 * The lines of a UTF-8 stream, in bounded memory. A line ends with LF or CR LF and
 * nowhere else; a byte order mark at the very beginning is left out.
 *
 * @returns undefined in place of a line of more than `maxBytes` bytes.
 */
export async function* linesOf(
  input: AsyncIterable<Uint8Array | string>,
  maxBytes: number,
): AsyncGenerator<string | undefined> {
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  let isFirst = true;
  const add = (piece: Uint8Array) => {
    bytes += piece.length;
    if (bytes <= maxBytes) pieces.push(piece);
    else pieces = [];
  };
  const take = (): string | undefined => {
    const text = bytes <= maxBytes ? Buffer.concat(pieces).toString().replace(/\r$/, "") : undefined;
    const line = isFirst ? text?.replace(/^\uFEFF/, "") : text;
    pieces = [];
    bytes = 0;
    isFirst = false;
    return line;
  };
  for await (const chunk of input) {
    const buffer = Buffer.from(chunk);
    let start = 0;
    for (let end = buffer.indexOf(LINE_FEED); end !== -1; end = buffer.indexOf(LINE_FEED, start)) {
      add(buffer.subarray(start, end));
      yield take();
      start = end + 1;
    }
    add(buffer.subarray(start));
  }
  if (bytes > 0) yield take();
}
