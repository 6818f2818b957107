import { defineConfig } from "vitest/config";
import ordinary, { heavyTests } from "./vitest.config.ts";

const { projects: _, ...shared } = ordinary.test ?? {};

/**
 * `pnpm test:heavy`: attacks that are measured, and packages that are installed elsewhere. Each file has a process of its
 * own, which holds nothing of others, and few of them share the machine.
 */
export default defineConfig({
  test: {
    ...shared,
    name: "heavy",
    include: heavyTests,
    isolate: true,
    maxWorkers: 3,
    globalSetup: "test/programs-setup.ts",
  },
});
