import {
  AuthorizationResponseError,
  JSON_ATTRIBUTE_COMPARISON,
  JWT_CLAIM_COMPARISON,
  JWT_TIMESTAMP_CHECK,
  OperationProcessingError,
  ResponseBodyError,
} from "oauth4webapi";

/** Problem with a sign-in, in words for the person. */
export class SignInError extends Error {
  override name = "SignInError";
}

/** Sentences for the provider's error codes (RFC 6749, 4.1.2.1 and 5.2; OpenID Connect Core 1.0, 3.1.2.6). */
const BY_CODE: Readonly<Record<string, (host: string) => string>> = {
  access_denied: (host) => `You were not let in: ${host} refused it, or you did.`,
  login_required: (host) => `${host} wants you to sign in there again.`,
  interaction_required: (host) => `${host} wants you to sign in there again.`,
  consent_required: (host) => `${host} needs your consent: sign in again.`,
  server_error: (host) => `${host} has a fault at the moment. Try again later.`,
  temporarily_unavailable: (host) => `${host} is too busy at the moment. Try again later.`,
  invalid_grant: () => "This sign-in was used before, or has taken too long. Sign in again.",
  invalid_scope: (host) => `${host} does not know a scope that this server asks for (OIDC_SCOPES).`,
  invalid_target: (host) => `${host} does not know this server's API (OIDC_PARAMETERS).`,
  invalid_client: (host) => `${host} does not know this app (OIDC_CLIENT_ID).`,
  unauthorized_client: (host) => `${host} does not let this app sign people in (OIDC_CLIENT_ID).`,
};

/** Explains why a sign-in or a renewal has failed, without any text of the provider's own. */
export function describeProblem(error: unknown, host: string): string {
  if (error instanceof SignInError) return error.message;
  if (error instanceof AuthorizationResponseError || error instanceof ResponseBodyError) {
    if (Object.hasOwn(BY_CODE, error.error)) return BY_CODE[error.error]?.(host) ?? "";
    return `${host} refused the sign-in (${/^[a-z_]{1,40}$/.test(error.error) ? error.error : "for a reason of its own"}).`;
  }
  if (error instanceof OperationProcessingError) {
    if (error.code === JWT_TIMESTAMP_CHECK) {
      return `The clocks of this server and of ${host} differ too much. Sign in again; if that does not help, tell whoever runs them.`;
    }
    if (error.code === JSON_ATTRIBUTE_COMPARISON) {
      return `${host} calls itself by another name than this server does (AUTH_ISSUER). Tell whoever runs it.`;
    }
    if (error.code === JWT_CLAIM_COMPARISON || isForeignIssuer(error)) {
      return `The answer does not belong to this sign-in at ${host}. Sign in again.`;
    }
    return `${host} gave an answer that this page can't use. Tell whoever runs it.`;
  }
  return `${host} can't be reached from this page: it is away, or does not let this page call it. Try again later.`;
}

/** Returns whether an answer names another issuer than the expected one (RFC 9207). */
function isForeignIssuer({ message }: OperationProcessingError): boolean {
  return message.includes('"iss"');
}
