import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const BLOCK_BYTES = 512;
/** Longest names of a file and of its folder (POSIX.1-1988, ustar), in bytes. */
const [MAX_NAME, MAX_PREFIX] = [100, 155];

/**
 * Packs the files of a folder as npm does, below `package/`. A tar program would write files that pnpm has hard-linked
 * to each other as links, which npm skips.
 */
export function packFolder(folder: string): Buffer {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const parts = files.flatMap(({ parentPath, name }) => {
    const path = join(parentPath, name);
    const content = readFileSync(path);
    const padding = Buffer.alloc(-content.length & (BLOCK_BYTES - 1));
    return [header(`package/${path.slice(folder.length + 1)}`, content.length), content, padding];
  });
  return gzipSync(Buffer.concat([...parts, Buffer.alloc(2 * BLOCK_BYTES)]), { level: 1 });
}

function header(path: string, size: number): Buffer {
  const cut = path.length <= MAX_NAME ? -1 : path.indexOf("/", path.length - MAX_NAME - 1);
  const [name, prefix] = [path.slice(cut + 1), path.slice(0, Math.max(0, cut))];
  if (name.length > MAX_NAME || prefix.length > MAX_PREFIX) throw new Error(`${path} is too long for a tar file`);
  const block = Buffer.alloc(BLOCK_BYTES);
  block.write(name, 0);
  // Everybody may read and run the files, since some are commands.
  block.write("0000755\0", 100);
  block.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  block.write("00000000000\0", 136);
  block.write("        ", 148);
  block.write("0", 156);
  block.write("ustar\0", 257);
  block.write("00", 263);
  block.write(prefix, 345);
  const checksum = block.reduce((sum, byte) => sum + byte, 0);
  block.write(`${checksum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}
