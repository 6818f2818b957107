import { launchChromiumServer } from "@rollcall/testing/chromium";
import type { TestProject } from "vitest/node";
import { buildWebIfStale } from "../scripts/web-build.ts";

/** Builds the web app and launches the one Chromium that all browser tests share. Runs once before them. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await buildWebIfStale();
  const chromium = await launchChromiumServer();
  project.provide("chromiumEndpoint", chromium.wsEndpoint());
  return () => chromium.close();
}
