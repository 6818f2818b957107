import { goSample } from "./go.ts";
import { pythonSample } from "./python.ts";
import type { Samples } from "./sampled-call.ts";
import { typescriptSample } from "./typescript.ts";

/** The same call as a program, by language: loaded when one is chosen. */
export const programs: Samples = { TypeScript: typescriptSample, Go: goSample, Python: pythonSample };
