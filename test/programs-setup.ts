import type {} from "@rollcall/testing/programs";
import type { TestProject } from "vitest/node";
import { bundleTestPrograms } from "../scripts/test-programs.ts";

/** Bundles the programs that tests start. Runs once before these tests. */
export async function setup(project: TestProject): Promise<void> {
  project.provide("programs", await bundleTestPrograms());
}
