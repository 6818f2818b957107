/** Result of a check. */
export interface Finding {
  /** "fail" keeps a server from serving. */
  readonly state: "ok" | "warn" | "fail";
  /** Subject, finding and, unless it is good, what to do. */
  readonly text: string;
}

export const ok = (text: string): Finding => ({ state: "ok", text });
export const warn = (text: string): Finding => ({ state: "warn", text });
export const fail = (text: string): Finding => ({ state: "fail", text });
