export { readCertificates, toPem } from "./certificates.ts";
export { findPairFault, type PairFault } from "./key-pair.ts";
export { PemError } from "./pem-error.ts";
export { type PrivateKey, readPrivateKey } from "./private-key.ts";
