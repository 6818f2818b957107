import { type ReactNode, useEffect, useState } from "react";
import { BASE_PATH } from "../base.ts";
import { loadAppConfig } from "../session/app-config.ts";

export interface DocsLinkProps {
  /** Place in the reference, such as `user.v1.UserService.GetUser`. */
  at?: string;
  children: ReactNode;
}

/**
 * Link to the server's reference, if the server shows one. It opens in another tab, so that nothing typed here is lost.
 */
export function DocsLink({ at = "", children }: DocsLinkProps) {
  const [isThere, setThere] = useState(false);
  useEffect(() => {
    loadAppConfig().then(
      ({ docs }) => setThere(docs),
      () => {},
    );
  }, []);
  if (!isThere) return null;
  return (
    <a href={`${BASE_PATH}/docs${at && `#${at}`}`} target="_blank" rel="noopener">
      {children}
      <span className="visually-hidden"> (in a new tab)</span>
    </a>
  );
}
