import { useEffect, useEffectEvent, useState } from "react";

/** How long nothing is typed before it is looked for, in milliseconds. */
const PAUSE_MS = 200;

export interface SearchFieldProps {
  /** What is looked for now. */
  value: string;
  onSearch(text: string): void;
}

/** Searches once the typing pauses, rather than at every key. */
export function SearchField({ value, onSearch }: SearchFieldProps) {
  const [text, setText] = useState(value);
  const [known, setKnown] = useState(value);
  // What is looked for was changed elsewhere, as by the browser's back button.
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
    <div className="field search">
      <label htmlFor="filter">Search by the start of a name or email</label>
      <input
        id="filter"
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
