import { useEffect } from "react";
import { announce } from "../ui/announcer.tsx";
import { Button } from "../ui/button.tsx";
import { useKey } from "../ui/use-key.ts";
import type { Selection } from "./use-selection.ts";

export interface SelectionBarProps {
  selection: Selection;
  onCopyEmails(): void;
  /** Undefined for people who may only read. */
  onDelete?: (() => void) | undefined;
}

/** Offers the actions for the selected users. Escape clears the selection. */
export function SelectionBar({ selection: { users, clear }, onCopyEmails, onDelete }: SelectionBarProps) {
  const { length } = users;
  useEffect(() => announce(`${length} selected`), [length]);
  useKey("Escape", clear);
  return (
    <section className="selection" aria-label="Selected users">
      <span>{length} selected</span>
      <Button className="quiet" onClick={onCopyEmails}>
        Copy emails
      </Button>
      {onDelete && (
        <Button className="quiet danger" onClick={onDelete}>
          Delete
        </Button>
      )}
      <Button className="quiet" onClick={clear}>
        Clear
      </Button>
    </section>
  );
}
