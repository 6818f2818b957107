import type { ShippedPackage } from "./shipped-packages.ts";

export interface Product {
  readonly name: string;
  readonly version: string;
  /** SPDX identifier. */
  readonly license: string;
}

/** Returns the list of shipped packages as CycloneDX 1.6 (ECMA-424). The same packages give the same text. */
export function createSbom({ name, version, license }: Product, packages: readonly ShippedPackage[]) {
  const own = `pkg:generic/${name}@${version}`;
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": own,
        name,
        version,
        purl: own,
        licenses: [{ license: { id: license } }],
      },
    },
    components: packages.map(({ name, version, licence }) => {
      const [, group, shortName = name] = /^(@[^/]+)\/(.+)$/.exec(name) ?? [];
      // In a purl, the scope's @ is percent-encoded.
      const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
      const isExpression = /[ ()]/.test(licence);
      return {
        type: "library",
        "bom-ref": purl,
        ...(group !== undefined && { group }),
        name: shortName,
        version,
        purl,
        licenses: [isExpression ? { expression: licence } : { license: { id: licence } }],
      };
    }),
    dependencies: [
      { ref: own, dependsOn: packages.map(({ name, version }) => `pkg:npm/${name.replace("@", "%40")}@${version}`) },
    ],
  };
}
