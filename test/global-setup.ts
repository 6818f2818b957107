import chromium from "@sparticuz/chromium";
import { buildWebIfStale } from "../scripts/web-build.ts";

/** Once before all tests: what several of them would otherwise make at the same time, in the same place. */
export async function setup(): Promise<void> {
  await buildWebIfStale();
  if (!process.env.CHROMIUM_PATH) await chromium.executablePath();
}
