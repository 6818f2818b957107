import { defineConfig } from "vitest/config";

const browserTests = ["web/test/**/*.test.ts", "**/*.browser.test.ts"];
/** Tests of things that a process does for the first time. */
const isolatedTests = ["{server,client,cli}/test/**/*.isolated.test.ts"];
/** Tests that take long: killed processes, full disks, drains. `pnpm test:fast` leaves them out. */
const slowTests = ["{server,client,cli}/test/**/*.slow.test.ts"];
/** Tests that start programs many times: the server, the command line, buf. `pnpm test:fast` leaves them out too. */
const processTests = ["{server,client,cli}/test/**/*.process.test.ts", "test/*.process.test.ts"];
/** Tests that start PostgreSQL. `pnpm test:fast` leaves them out too. */
const postgresTests = ["{server,testing}/{src,test}/**/*.postgres.test.ts"];
/** Tests that `pnpm test:heavy` runs instead of `pnpm test`, each file in its own process. */
export const heavyTests = [
  // They attack, and measure memory and the event loop.
  "server/test/{hardening,streams,websocket}/**/*.slow.test.ts",
  "client/test/upload-memory.slow.test.ts",
  "server/test/operators/soak.slow.test.ts",
  // They pack, install and build, or compile with the tools of other languages.
  "test/{packages,release,examples}.process.test.ts",
  // It starts buf for each protocol, connection and kind.
  "server/test/protocol/buf-curl.process.test.ts",
];
/** Tests of pages that `pnpm test:heavy` runs instead of `pnpm test`. */
export const heavyBrowserTests = [
  // They open each page in each width and color scheme, or use it by the keyboard alone.
  "web/test/{accessibility,keyboard,layout}.test.ts",
  // The explorer and the reference are for developers: few changes touch them.
  "web/test/{docs,explorer}.test.ts",
  // They need a proxy between page and server, or an identity provider.
  "web/test/{oidc,prefix,proxy-faults,stream-faults}.test.ts",
  // They open many tabs.
  "web/test/users-live.test.ts",
  // They run what pages show to copy: in shells, in Go, in Python.
  "web/test/{explorer-samples,shell-commands}.test.ts",
];
/** Setup that bundles programs: from bundles they start in half of the CPU time. */
const programs = "test/programs-setup.ts";

export default defineConfig({
  test: {
    // A worker often waits for its test's client, server or browser, so there are more workers than cores. The suite is
    // measured on two cores.
    maxWorkers: 5,
    // A worker imports the server, Connect and Protobuf-ES once. Once for each file took a third of all CPU time.
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
          exclude: [...browserTests, ...isolatedTests, ...slowTests, ...processTests, ...postgresTests],
        },
      },
      {
        extends: true,
        test: { name: "process", include: processTests, exclude: heavyTests, globalSetup: programs },
      },
      { extends: true, test: { name: "postgres", include: postgresTests, globalSetup: programs } },
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
          exclude: postgresTests,
        },
      },
    ],
  },
});
