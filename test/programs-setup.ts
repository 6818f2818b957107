import type {} from "@rollcall/testing/programs";
import type { TestProject } from "vitest/node";
import { bundleTestPrograms } from "../scripts/test-programs.ts";

/** Once before all tests that start programs: bundles those. */
export async function setup(project: TestProject): Promise<void> {
  project.provide("programs", await bundleTestPrograms());
}
