import { build, type Rolldown } from "vite";

/** Bundles a module for a page into `bundle.js` in the folder, and returns the chunks. */
export async function bundle(entry: string, folder: string): Promise<Rolldown.OutputChunk[]> {
  const result = await build({
    root: import.meta.dirname,
    configFile: false,
    logLevel: "silent",
    build: {
      write: true,
      outDir: folder,
      target: "esnext",
      minify: true,
      modulePreload: false,
      rolldownOptions: {
        input: entry,
        preserveEntrySignatures: "strict",
        output: { entryFileNames: "bundle.js" },
      },
    },
  });
  const outputs = [result].flat() as Rolldown.RolldownOutput[];
  return outputs.flatMap(({ output }) => output.filter((part) => part.type === "chunk"));
}
