import { defineConfig } from "vitest/config";
import ordinary, { heavyBrowserTests, heavyTests } from "./vitest.config.ts";

const { projects: _, ...shared } = ordinary.test ?? {};

/** `pnpm test:heavy`: attacks that are measured, packages installed elsewhere, and pages in all their forms. */
export default defineConfig({
  test: {
    ...shared,
    projects: [
      {
        extends: true,
        test: {
          name: "heavy",
          include: heavyTests,
          // Each file runs in its own process, without memory that others left. Few of them run at the same time.
          isolate: true,
          maxWorkers: 3,
          globalSetup: "test/programs-setup.ts",
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "pages",
          include: heavyBrowserTests,
          globalSetup: "test/browser-setup.ts",
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
