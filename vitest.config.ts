import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{server,client,web,scripts,test}/**/*.test.ts"],
    globalSetup: "test/global-setup.ts",
    // Generous: a slow machine fails no test. What must be fast is measured by `pnpm bench`.
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
