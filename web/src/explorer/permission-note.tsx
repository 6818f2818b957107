import { useSession } from "../session/session.ts";
import type { Permission } from "./contracts/permission.ts";

export interface PermissionNoteProps {
  permission: Permission;
  /**
   * Whether the information comes from the server itself, rather than from the contract that the app was built with.
   */
  isReflected: boolean;
}

/** Says who may call a method, and whether the person who is signed in may. */
export function PermissionNote({ permission, isReflected }: PermissionNoteProps) {
  const session = useSession();
  if (permission.kind === "scope") {
    const isMissing = session?.scopes.includes(permission.scope) === false;
    return (
      <p className="hint permission">
        Scope <code>{permission.scope}</code>
        {isMissing && <span className="missing">, which your token does not have</span>}
      </p>
    );
  }
  const words = {
    "any-token": "Any token",
    public: "Open to all, without a token",
    unstated: isReflected ? "Nobody may call it: it has no scope" : "The contract does not say who may call it",
  };
  return <p className="hint permission">{words[permission.kind]}</p>;
}
