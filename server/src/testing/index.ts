export { createTestServer, type TestServer } from "./create-test-server.ts";
export type { TestClock } from "./test-clock.ts";
