import { resolve } from "node:path";
import { inject } from "vitest";
import { root } from "./root.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Bundles of the programs that tests start, by the path of their source in the repository. */
    programs: Readonly<Record<string, string>>;
  }
}

/**
 * Returns the bundle of a program if this run of tests has one, else its source.
 *
 * @param source Path, absolute or from the root, such as `server/src/main.ts`.
 */
export function programFile(source: string): string {
  const programs: Readonly<Record<string, string>> | undefined = inject("programs");
  return programs?.[source] ?? resolve(root, source);
}
