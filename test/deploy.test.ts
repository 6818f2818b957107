import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "@rollcall/shared/settings/config-error";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import packageJson from "../package.json" with { type: "json" };
import { parseCommand } from "../server/src/commands/parse-command.ts";
import { parseConfig } from "../server/src/config.ts";

/*
 * These tests need no container engine. They parse the files, validate them against schemas, and compare them with the
 * server's own settings and commands. They build no images and apply nothing to a cluster.
 */

const folder = join(import.meta.dirname, "../deploy");
const read = (path: string) => readFileSync(join(folder, path), "utf8");
const PROGRAM = "/opt/rollcall-server/rollcall-server";
const secrets = { AUTH_SECRET: "s".repeat(32), DATABASE_URL: "sqlite:/data/rollcall.db" };

/** Reads settings as the server does, and fails for names that it does not know. */
function settingsOf(env: Record<string, string>) {
  const isFile = () => {
    throw new Error("names a file");
  };
  const { NODE_ENV: _, ...settings } = env;
  const documented = readFileSync(join(folder, "../docs/configuration.md"), "utf8");
  const unknown = Object.keys(settings).filter((name) => !documented.includes(`\`${name}\``));
  try {
    return { config: parseConfig(settings, { rootDir: "/", readFile: isFile }), unknown };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect.fail(error.message);
  }
}

/** Time that a stop may take, in seconds. */
const stopSeconds = ({ shutdownDelayMs, shutdownGraceMs }: { shutdownDelayMs: number; shutdownGraceMs: number }) =>
  (shutdownDelayMs + shutdownGraceMs) / 1_000 + 1;

describe("the Dockerfile", () => {
  const lines = read("Dockerfile")
    .replaceAll(/\\\n\s*/g, "")
    .split("\n");
  const instruction = (name: string) =>
    lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));

  test("has the Node.js of the repository, another user than root, and commands that there are", () => {
    const images = instruction("FROM").map((line) => line.split(" ")[0]);
    expect(images).toEqual(Array(2).fill(`node:${packageJson.devDependencies.node}-slim`));
    expect(instruction("USER")).toEqual([expect.stringMatching(/^[1-9]\d*:[1-9]\d*$/)]);
    expect(JSON.parse(instruction("ENTRYPOINT")[0] ?? "")).toEqual([PROGRAM]);
    expect(parseCommand(JSON.parse(instruction("CMD")[0] ?? ""))).toEqual({ name: "serve" });
    const [program, ...args] = JSON.parse(/CMD (\[.*\])$/.exec(instruction("HEALTHCHECK")[0] ?? "")?.[1] ?? "");
    expect({ program, command: parseCommand(args) }).toEqual({ program: PROGRAM, command: { name: "healthcheck" } });
  });

  test("sets settings that the server takes", () => {
    const env = Object.fromEntries((instruction("ENV")[0] ?? "").split(/\s+/).map((pair) => pair.split("=")));
    const { config, unknown } = settingsOf({ ...env, ...secrets, ALLOW_PLAINTEXT: "true" });
    expect(unknown).toEqual([]);
    expect(instruction("EXPOSE")).toEqual([String(config.port)]);
  });

  test("leaves out nothing that the build reads from the repository's root", () => {
    const kept = read("Dockerfile.dockerignore")
      .split("\n")
      .flatMap((line) => (line.startsWith("!") ? [line.slice(1)] : []));
    for (const path of kept) expect(existsSync(join(folder, "..", path)), path).toBe(true);
    const workspace: string[] = parse(readFileSync(join(folder, "../pnpm-workspace.yaml"), "utf8")).packages;
    for (const name of workspace)
      expect(
        kept.some((path) => path.split("/")[0] === name),
        name,
      ).toBe(true);
  });
});

describe("the compose file", () => {
  const { services, volumes } = parse(read("compose/compose.yaml"));

  test("sets settings that the server takes, and leaves it time to stop", () => {
    const { environment: env } = services.rollcall;
    const { config, unknown } = settingsOf({ ...env, ...secrets, AUTH_SECRET_PREVIOUS: "" });
    expect(unknown).toEqual([]);
    expect(Number.parseInt(services.rollcall.stop_grace_period, 10)).toBeGreaterThan(stopSeconds(config));
    expect(services.rollcall).toMatchObject({ read_only: true, cap_drop: ["ALL"] });
  });

  test("names files, volumes and services that there are", () => {
    for (const [name, { volumes: mounts = [], depends_on = {}, ports = [] }] of Object.entries<Record<string, never>>(
      services,
    )) {
      for (const mount of mounts as string[]) {
        const [source = ""] = mount.split(":");
        const isThere = source.startsWith(".") ? existsSync(join(folder, "compose", source)) : source in volumes;
        expect(isThere, `${name}: ${mount}`).toBe(true);
      }
      for (const other of Object.keys(depends_on)) expect(services[other]?.healthcheck, other).toBeDefined();
      // By default, no port is open to other machines.
      for (const port of ports as string[]) expect(port).toMatch(/^127\.0\.0\.1:/);
    }
    const { build } = services.rollcall;
    expect(existsSync(join(folder, "compose", build.context, build.dockerfile))).toBe(true);
  });

  test("has a collector and a Prometheus that fit to it", () => {
    const collector = parse(read("compose/otel-collector.yaml"));
    for (const { receivers, processors, exporters } of Object.values<Record<string, string[]>>(
      collector.service.pipelines,
    )) {
      for (const [kind, names] of Object.entries({ receivers, processors, exporters })) {
        for (const name of names ?? []) expect(collector[kind], `${kind} ${name}`).toHaveProperty(name);
      }
    }
    const endpoint = new URL(services.rollcall.environment.OTEL_EXPORTER_OTLP_ENDPOINT);
    expect(services).toHaveProperty(endpoint.hostname);
    expect(collector.receivers.otlp.protocols.http.endpoint).toBe(`0.0.0.0:${endpoint.port}`);
    const [{ static_configs }] = parse(read("compose/prometheus.yaml")).scrape_configs;
    expect(static_configs[0].targets).toEqual([`rollcall:${services.rollcall.environment.PORT}`]);
    const [{ url }] = parse(read("compose/grafana/provisioning/datasources/prometheus.yaml")).datasources;
    expect(services).toHaveProperty(new URL(url).hostname);
    const mounts = [...services.prometheus.volumes, ...services.grafana.volumes].map((mount: string) =>
      mount.split(":"),
    );
    const [rules] = parse(read("compose/prometheus.yaml")).rule_files;
    expect(mounts).toContainEqual(["../prometheus/alerts.yaml", `/etc/prometheus/${rules}`, "ro"]);
    const [{ options }] = parse(read("compose/grafana/provisioning/dashboards/rollcall.yaml")).providers;
    expect(mounts).toContainEqual(["../grafana", options.path, "ro"]);
  });
});

describe("the Kubernetes manifests", () => {
  const objects = globSync(join(folder, "kubernetes/*.yaml")).flatMap((path) =>
    parseAllDocuments(readFileSync(path, "utf8")).map((document) => document.toJS()),
  );
  const of = (kind: string) => objects.find((object) => object.kind === kind);
  const pod = of("Deployment").spec.template.spec;
  const [container] = pod.containers;

  test.each(objects.map((object) => [object.kind, object]))(
    "%s is valid by the schema of its version",
    async (kind, object) => {
      const [group, version] = object.apiVersion.includes("/")
        ? object.apiVersion.split("/")
        : [undefined, object.apiVersion];
      const path = [group, version].filter(Boolean).join("/");
      const { [kind]: Model } = await import(/* @vite-ignore */ `kubernetes-models/${path}`);
      expect(() => new Model(object).validate()).not.toThrow();
      // The control: the schema refuses a field of the wrong type.
      expect(() => new Model({ ...object, metadata: { name: 1 } }).validate()).toThrow();
    },
  );

  test("set settings that the server takes, and leave it time to stop", () => {
    const { data: env } = of("ConfigMap");
    const { config, unknown } = settingsOf({ ...env, ...secrets });
    expect(unknown).toEqual([]);
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(stopSeconds(config));
    expect(container.ports).toEqual([{ name: "http", containerPort: config.port }]);
    expect(parseCommand(container.args)).toEqual({ name: "serve" });
  });

  test("ask the probes that there are, and fit together", () => {
    expect(container.livenessProbe.httpGet.path).toBe("/healthz");
    expect(container.readinessProbe.httpGet.path).toBe("/readyz");
    const { labels } = of("Deployment").spec.template.metadata;
    for (const selector of [
      of("Deployment").spec.selector.matchLabels,
      of("Service").spec.selector,
      of("PodDisruptionBudget").spec.selector.matchLabels,
      of("NetworkPolicy").spec.podSelector.matchLabels,
    ]) {
      expect(labels).toMatchObject(selector);
    }
    expect(of("HorizontalPodAutoscaler").spec.scaleTargetRef.name).toBe(of("Deployment").metadata.name);
    expect({ ...pod.securityContext, ...container.securityContext }).toMatchObject({
      runAsNonRoot: true,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
    });
  });
});

describe("the systemd unit", () => {
  const path = join(folder, "systemd/rollcall-server.service");
  const values = (name: string) =>
    [...readFileSync(path, "utf8").matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value = ""]) => value);

  test("runs commands that there are, with settings that the server takes and time to stop", () => {
    for (const [name, command] of [
      ["ExecStartPre", "check-config"],
      ["ExecStart", "serve"],
    ] as const) {
      const [program, ...args] = values(name)[0]?.split(" ") ?? [];
      expect({ program, command: parseCommand(args).name }).toEqual({ program: PROGRAM, command });
    }
    const env = Object.fromEntries(
      values("Environment").flatMap((line) => line.split(" ").map((pair) => pair.split("="))),
    );
    const { config, unknown } = settingsOf({ ...env, AUTH_SECRET: secrets.AUTH_SECRET });
    expect(unknown).toEqual([]);
    expect(Number(values("TimeoutStopSec")[0])).toBeGreaterThan(stopSeconds(config));
    // Exit code of a wrong setting.
    expect(values("RestartPreventExitStatus")).toEqual(["2"]);
  });

  const analyze = (...args: string[]) => spawnSync("systemd-analyze", args, { encoding: "utf8" });
  test("passes systemd's own check", ({ skip }) => {
    skip(analyze("--version").error !== undefined, "systemd-analyze is not installed");
    const { stderr } = analyze("verify", "--man=no", path);
    // The unit names the program of an installed release, which this machine does not have.
    const faults = stderr
      .split("\n")
      .filter((line) => line.includes("rollcall-server.service") && !line.includes("is not executable"));
    expect(faults).toEqual([]);
  });
});
