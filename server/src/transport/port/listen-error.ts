/** Reasons by Node's code, and what to do. */
const WORDS: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is in use; end the program that uses it, or set PORT to a free port",
  EACCES:
    "this user has no permission to use the port; set PORT to another, since those below 1024 are mostly reserved",
  EADDRNOTAVAIL: "this machine does not have the address; set HOST to one that it has",
  EAFNOSUPPORT: "this machine does not have addresses of this kind; set HOST to one that it has",
  ENOTFOUND: "the name is not known; set HOST to a name or address of this machine",
  EAI_AGAIN: "the name can't be looked up; set HOST to an address of this machine",
};

/** The server can't listen. The message has the address, the reason and which setting to change. */
export class ListenError extends Error {
  override name = "ListenError";
  /** Node's code, such as `EADDRINUSE`. */
  readonly code: string;

  /**
   * @param cause Node's error.
   * @param setting Setting that names the port.
   */
  constructor(host: string, port: number, cause: unknown, setting = "PORT") {
    const { code = "unknown", address = host } = cause as NodeJS.ErrnoException & { address?: string };
    const origin = `${address.includes(":") ? `[${address}]` : address}:${port}`;
    const words = WORDS[code]?.replace("PORT", setting) ?? "the system refuses it";
    super(`can't listen on ${origin}: ${words} (${code})`, { cause });
    this.code = code;
  }
}
