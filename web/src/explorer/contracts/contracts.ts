import { createFileRegistry, type DescService, fromBinary, type Registry } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { BASE_URL } from "../../base.ts";
import { sessionState } from "../../session/session.ts";

/** Services that can be called, and all types that they need. */
export interface Contracts {
  /** Services by name, those of gRPC's own tools last. */
  readonly services: readonly DescService[];
  readonly registry: Registry;
}

/** Longest wait for the contracts, in milliseconds. */
const TIMEOUT_MS = 15_000;

/**
 * Reads the contracts of all services that the server of this page has mounted. Callers that may use gRPC's reflection
 * may read them.
 *
 * @throws Error if the server does not give them.
 */
export async function readContracts(signal: AbortSignal): Promise<Contracts> {
  const state = sessionState();
  const response = await fetch(`${BASE_URL}/descriptors.binpb`, {
    headers: state.status === "in" ? { authorization: `Bearer ${state.session.token}` } : {},
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const files = fromBinary(FileDescriptorSetSchema, new Uint8Array(await response.arrayBuffer()));
  const registry = createFileRegistry(files);
  return { services: sortServices([...registry].filter((type) => type.kind === "service")), registry };
}

/** Sorts services by name, with those of gRPC's own tools at the end. */
export function sortServices(services: readonly DescService[]): DescService[] {
  const isTool = ({ typeName }: DescService) => Number(typeName.startsWith("grpc."));
  return [...services].sort((a, b) => isTool(a) - isTool(b) || (a.typeName < b.typeName ? -1 : 1));
}
