/** Parsers of Bruno's files; the package has no types. */
declare module "@usebruno/lang" {
  interface Variable {
    readonly name: string;
    readonly value: string;
  }

  interface Request {
    readonly meta: { readonly name: string; readonly seq: string };
    readonly http: { readonly method: string; readonly url: string; readonly auth: string };
    readonly body?: { readonly json?: string };
    readonly vars?: { readonly res?: readonly Variable[] };
    readonly assertions: readonly Variable[];
  }

  export function bruToJsonV2(text: string): Request;
  export function bruToEnvJsonV2(text: string): { readonly variables: readonly Variable[] };
  export function collectionBruToJson(text: string): { readonly auth: { readonly bearer: { readonly token: string } } };
}
