import { defineConfig } from "vitest/config";

const browserTests = ["web/test/**/*.test.ts", "**/*.browser.test.ts"];
/** Tests of the first time that a process does something. */
const isolatedTests = ["{server,client,cli}/test/**/*.isolated.test.ts"];
/** Tests that take long: processes killed, full disks, drains. `pnpm test:fast` leaves it out. */
const slowTests = ["{server,client,cli}/test/**/*.slow.test.ts"];
/** Tests that start programs again and again: the server, the command line, buf. `pnpm test:fast` leaves it out too. */
const processTests = ["{server,client,cli}/test/**/*.process.test.ts", "test/*.process.test.ts"];
/** Tests that `pnpm test:heavy` runs instead of `pnpm test`, a process of its own for each file. */
export const heavyTests = [
  // They attack, and measure memory and the event loop.
  "server/test/{hardening,streams,websocket}/**/*.slow.test.ts",
  "client/test/upload-memory.slow.test.ts",
  // It packs, installs and builds.
  "test/packages.process.test.ts",
];
/** Tests of pages that `pnpm test:heavy` runs instead of `pnpm test`. */
export const heavyBrowserTests = [
  // They open each page in each width and color scheme.
  "web/test/{accessibility,layout}.test.ts",
  // They put something between page and server that fails, or a provider beside them.
  "web/test/{oidc,prefix,proxy-faults,stream-faults}.test.ts",
];
/** Programs start in half of the CPU time from bundles. */
const programs = "test/programs-setup.ts";

export default defineConfig({
  test: {
    // A core waits for a test's client, server or browser in turn, so there are more workers than the two cores that the
    // suite is measured on.
    maxWorkers: 5,
    // A worker imports the server, Connect and Protobuf-ES once, not once a file: that was a third of all CPU time.
    isolate: false,
    // Generous: a slow or busy machine fails no test. `pnpm bench` measures what must be fast.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 300_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: "browser",
          include: browserTests,
          exclude: ["**/node_modules/**", ...heavyBrowserTests],
          globalSetup: "test/browser-setup.ts",
        },
      },
      {
        extends: true,
        test: {
          name: "system",
          globalSetup: programs,
          include: ["{server,client,cli}/test/**/*.test.ts", "test/*.test.ts"],
          exclude: [...browserTests, ...isolatedTests, ...slowTests, ...processTests],
        },
      },
      {
        extends: true,
        test: { name: "process", include: processTests, exclude: heavyTests, globalSetup: programs },
      },
      {
        extends: true,
        test: { name: "isolated", include: isolatedTests, isolate: true, globalSetup: programs },
      },
      {
        extends: true,
        test: { name: "slow", include: slowTests, exclude: heavyTests, globalSetup: programs },
      },
      {
        extends: true,
        test: {
          name: "unit",
          include: ["{pem,shared,server,client,cli,web,testing,bench}/src/**/*.test.ts", "scripts/*.test.ts"],
        },
      },
    ],
  },
});
