import { defineConfig } from "vitest/config";

/** Tests that take minutes: `pnpm torture`. Files run one by one, each in its own process: they measure memory. */
export default defineConfig({
  test: {
    include: ["{server,client,cli,web}/test/**/*.torture.ts", "test/*.torture.ts"],
    globalSetup: ["test/browser-setup.ts", "test/programs-setup.ts"],
    maxWorkers: 1,
    testTimeout: 1_800_000,
    hookTimeout: 1_800_000,
  },
});
