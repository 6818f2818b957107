import { createReader, type Env } from "@rollcall/shared/settings/reader";
import { expect, test } from "vitest";
import { parseOtlp } from "./otlp.ts";

function parse(env: Env) {
  const problems: string[] = [];
  return { otlp: parseOtlp(createReader(env, problems), problems), problems };
}

test("without an endpoint, nothing is exported", () => {
  expect(parse({})).toEqual({ otlp: undefined, problems: [] });
});

test.each([
  [undefined, 1],
  ["0", 0],
  [".5", 0.5],
  ["0.05", 0.05],
])("traces that begin here are recorded: %s", (OTEL_TRACES_SAMPLER_ARG, sampleRatio) => {
  const endpoint = "https://otel.example/base";
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_SAMPLER_ARG };
  expect(parse(env)).toEqual({ otlp: { endpoint, sampleRatio }, problems: [] });
});

test.each([
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "localhost:4318" }, /must be the URL/],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "grpc://localhost:4317" }, /must be the URL/],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://u:secret@localhost" }, /no user name or password/],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://localhost?token=secret" }, /must be the URL/],
  [{ OTEL_TRACES_SAMPLER_ARG: "2" }, /from 0 to 1/],
  [{ OTEL_TRACES_SAMPLER_ARG: "half" }, /from 0 to 1/],
])("%j is refused, without its secrets", (env, words) => {
  const { problems } = parse(env);
  expect(problems).toEqual([expect.stringMatching(words)]);
  expect(problems.join()).not.toContain("secret");
});
