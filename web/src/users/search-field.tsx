import { useEffect, useEffectEvent, useRef, useState } from "react";
import { useKey } from "../ui/use-key.ts";

/** Pause in typing after which the search starts, in milliseconds. */
const PAUSE_MS = 200;

export interface SearchFieldProps {
  /** Text of the current search. */
  value: string;
  onSearch(text: string): void;
}

/** Search field, which "/" focuses. It searches when the typing pauses, not at every key. */
export function SearchField({ value, onSearch }: SearchFieldProps) {
  const [text, setText] = useState(value);
  const [known, setKnown] = useState(value);
  const field = useRef<HTMLInputElement>(null);
  useKey("/", () => field.current?.select());
  // The search was changed elsewhere, for example by the browser's back button.
  if (known !== value) {
    setKnown(value);
    if (text.trim() !== value) setText(value);
  }
  const search = useEffectEvent(() => onSearch(text.trim()));
  useEffect(() => {
    if (text.trim() === value) return;
    const timer = setTimeout(search, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, value]);

  return (
    <div className="search">
      <input
        ref={field}
        aria-keyshortcuts="/"
        aria-label="Search for words in names and emails"
        placeholder="Search names and emails"
        type="search"
        value={text}
        maxLength={254}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setText(event.target.value)}
      />
    </div>
  );
}
